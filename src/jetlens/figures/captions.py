"""Captions of all figures, reStructuredText; braces name wildcards and settings."""

FIRST_ROTATION = """\
Of a k-fold training the networks and test events of the first rotation are shown.
"""

UNTESTED = """
How far the structure of these maps differs from chance has not been tested: a map of jets without any
structure shows some, too. Do not read physics from single cells.
"""

KINEMATICS = """\
Distribution of **{quantity}** after selection. Above: events expected at {luminosity_fb:g} fb⁻¹,
backgrounds stacked, the signal as a line, one for each of its masses, scaled by the power of ten that the
legend gives. Its cross section depends on the couplings chosen for the sample: take its shape, not its size.
The hatched band and the bars are statistical errors of the simulation, √Σw². The legend gives the simulated
events of each process and what one of them stands for on average; a bin of about that height holds a single
event. Below: the same normalised to one, process by process. Where the figure says so, the first or last bin also holds
what lies beyond the axis; events that lack the object are left out. All selected events are shown, those
used in training included.
"""

CUTFLOW = """\
Share of the generated events of each sample that is left after each cut, cuts applied from top to bottom,
with binomial errors. The legend gives the events expected after all cuts at {luminosity_fb:g} fb⁻¹, σ·L·ε,
with the statistical error of the simulation. Efficiencies refer to the phase space in which each sample was
generated, which differs between samples.
"""

JET_IMAGES = """\
Average jet images: mean share of a jet's scalar pT sum per pixel, for signal and background events after
selection, weighted by σ·L, so that the background is mostly the process with the largest cross section, and
a signal of several masses mostly the one with the most events.
Each jet is moved, turned and mirrored into one frame: pT-weighted centroid at the origin, principal axis
upright, the harder half on top and to the right; coordinates are distances in (η, φ). The image holds 99 %
of the constituents. Only the constituents kept in the features enter (the leading ones in pT). All panels
have one logarithmic colour scale; grey pixels never held a constituent. Statistical errors per pixel are in
the CSV.
"""

TRAINING = """\
Training of **{label}**, one line style per seed: loss on the training and on the validation folds (above)
and AUC on the validation folds (below); for boosted trees an epoch is one more tree. Dots mark the epoch
with the smallest validation loss, whose weights are kept. The training loss is taken while weights change
and with dropout on, where there is any, so it may lie above the validation loss. No test event enters. Of a
k-fold training only the first rotation is shown.
"""

ROC = """\
Background against signal efficiency of all variants, on test events that no training saw. Lines are means
over training seeds of ε_B at fixed ε_S, bands ± one standard deviation over seeds. The legend gives the
mean AUC over seeds and its 68 % error, over test events and seeds together. The legend's title says whether
test events count the same or by their σ·L weight. Variants are tested on the same events, so their errors
are correlated: for differences see the paired comparison.
"""

REJECTION = """\
Background rejection 1/ε_B against signal efficiency, on test events that no training saw. Lines are
1/⟨ε_B⟩, the mean taken over training seeds. Where fewer than five background events pass, the line is
dotted: it follows single events; it ends where none passes for any seed. Bands are ± one standard deviation
of ε_B over seeds, drawn up to three times the line. Points are the rejections of the summary table at ε_S =
0.3, 0.5 and 0.7, slightly displaced from each other, with their errors; arrows are lower limits at 95 %
confidence.
"""

SCORES = """\
Output of **{label}** on test events, as a density for each process, and for each mass of a signal, by itself,
normalised to one. The output
is the sigmoid of the mean logit over training seeds. Classes were balanced in training, so it is no
probability under the cross sections of the sample table. Numbers in brackets are events. Each process has
bins of its own, merged until each holds at least five events; bars are 68 % Garwood intervals of the
effective number of events. Black, if there are any: application samples, all of their selected events. With
k-fold training a test event is scored by the networks that never saw it, an event of an application by
those of each rotation in turn, and counts as their mean.
"""

ATTENTION = (
    """\
Where **{variant}** looks: attention that query tokens (rows; J₁, J₂ and their sum, the resonance candidate,
for the default streams) pay to the constituents of the two leading fat jets, at each constituent's own (Δη,
Δφ) from its jet's axis. Attention is read off the forward pass that scores the events and averaged over
heads, attention layers and training seeds. Per event it sums to one over the constituents of both jets. The
colour is the mean attention *per constituent found in the cell*, relative to the average constituent of its
event: 1 means no preference, whatever the number of constituents there. Background events are weighted by
σ·L. Only test events are used. Cells with fewer than 10 constituents are blank; the median statistical
error of the cells is written in each panel, all errors and the spread over seeds are in the CSV. Attention
shows what is looked at, not what decides: read it with the deletion and insertion curves.
"""
    + UNTESTED
    + FIRST_ROTATION
)

RELEVANCE = (
    """\
Where what decides lies for **{variant}**, by *{method}*, in true signal and true background test events. Rows: what
speaks for signal, and what for background. The colour is what a constituent found in the cell is worth, relative to
the average one of its event: 1 means no preference, whatever the number of constituents there. Each constituent stands
at its own (Δη, Δφ) from its jet's axis; averages are over seeds and, weighted by σ·L, over events. Cells with fewer
than 10 constituents are blank; the median statistical error is written in each panel, all errors and the spread over
seeds are in the CSV. How far this can be believed, the tests of explanations say.
"""
    + UNTESTED
    + FIRST_ROTATION
)

FAITHFULNESS = (
    """\
Do the explanations of **{variant}** mark what decides? Left: the logit that signal (upper) and background (lower) test
events lose while the first constituents in a method's order are taken away. Middle: what they lose if these alone are
left. Right: areas, scaled per event between the worst and the best order known; dark: masked, light: replaced by
constituents of other jets. Yardsticks are pT order and |d0| order; each method's own order, shuffled among
constituents of equal pT, is in the file faithfulness.json, with agreement between seeds and methods, and with networks
of random weights. Taking all constituents away is a marker by itself. Bars and bands are standard errors over events.
"""
    + FIRST_ROTATION
)

METHODS = (
    """\
All explanations of **{variant}** side by side, one row each, with the verdict of their tests. Maps in the jets' own
frame, the harder subjet at the origin and the other at (1, 0): the mean worth of the constituents in a cell for signal,
for background reweighted to the signal's jet pT and mass, and the difference, hatched below 2σ; each map's text says
what its colours reach from and to. Whether a map shows more than a radial profile is tested in the figures of
single methods. Bars: the logit that the class loses with the first 20 % of the constituents taken away, masked (dark)
and replaced by those of other jets (light), with standard errors over events; ticks: the same values, shuffled among
constituents of equal pT.
"""
    + FIRST_ROTATION
)

SUBJETS = (
    """\
What *{method}* says of **{variant}** in the jets' own frame: the harder of a jet's two soft-drop subjets (of its
constituents) at the origin, the other at (1, 0), distances in units of ΔR₁₂. Colour: the mean worth of the constituents
found in a cell, their relevance over the mean |relevance| of their event; for signal, for background reweighted to the
signal's jet pT and mass, and the difference. Errors are by bootstrap over events. Cells of fewer than 10 effective jets
are empty, those below 2σ are hatched. Null test: constituents turned by random angles against fixed subjets have no
structure but a radial one; printed are χ² per cell about the mean of turned maps, of the real map and of the turned
ones, which must be 1, and the real map's rank among them as p-value. Right: radial profiles.
"""
    + FIRST_ROTATION
)

ATTENTION_MATRICES = (
    """\
Attention matrices of **{variant}**, layer by layer and head by head, for the layers behind the attention
map: mean attention that each query token (rows) pays to the constituents of each jet in falling pT
(columns), for signal and for background test events, the latter weighted by σ·L. An entry is averaged over
the events in which that constituent exists, so the right ends rest on few events; errors are in the CSV.
Heads of different trainings have nothing in common, so the figure shows the first seed alone.
"""
    + FIRST_ROTATION
)

SINGLE_EVENTS = (
    """\
Single test events as **{variant}** sees them: the first of each class, not chosen by hand; each row shows one signal
event (left) and one background event (right). Every constituent stands at its own (Δη, Δφ) from its jet's axis, its
area is proportional to pT. The colour is its share of what speaks for signal, by the first method of
explanation.methods, times the number of constituents of the event: 1 is the average constituent. Averages are over
training seeds. The output is the sigmoid of the mean logit over seeds.
"""
    + FIRST_ROTATION
)

SIGNIFICANCE = """\
Expected discovery significance of a counting experiment at {luminosity_fb:g} fb⁻¹ against the cut on each variant's
output, by its signal efficiency: the Asimov formula with the background uncertainty of the configuration, on test
events. Bands are the statistical error of the simulation. Where a background has too few simulated events above the
cut there is no point; the table significance.csv says which and how many more are needed. The signal's cross section
is that of the sample table.
"""

LIMITS = """\
Expected upper limits on σ·B with **{label}** at {luminosity_fb:g} fb⁻¹ by CLs, at the confidence level that the axis
names: the median of the background-only expectation with its ±1σ and ±2σ bands, all systematic errors and those of the
simulation included; dotted: the median without them. Observed limits, once unblinded, are solid. Where the simulation
does not suffice there is no limit, and the figure says what is missing. Leading order, no pile-up: no forecast for an
experiment.
"""

LIMITS_OF_ALL = """\
Median expected upper limits on σ·B of all variants at {luminosity_fb:g} fb⁻¹, same events, same systematic errors, and
below their ratio to one variant, whose ±1σ band is grey: what one classifier buys over another in reach. Variants of
one mass stand side by side. Cuts were chosen for each variant by itself on the validation folds. Bars are errors of the
simulation, of logarithms: events drawn with replacement, cuts and templates made again of them, the same events for all
variants, so that a ratio's bar is that of the pair. They do not contain what another training would change.
"""

LUMINOSITY = """\
Expected discovery significance of a signal of {mass} GeV against integrated luminosity, √q₀ on Asimov data, for the
theory's σ·B where the configuration gives one, else for that of the sample table. Relative systematic errors, those of
the simulation included, stay as they are at each luminosity.
"""

POSTFIT = """\
Expected events by process in the regions of **{label}** for a signal of {mass} GeV after the fit of the background, at
{luminosity_fb:g} fb⁻¹, with the error of the sum (hatched; all correlations included) and below its relative size, or
data over fit once unblinded. While blinded the fit is one to the expectation itself. The line is the signal at its
expected limit. Bins were merged until the simulation fills them; the first and last one hold what lies beyond.
"""

PULLS = """\
Parameters of the fit of **{label}** for a signal of {mass} GeV: pull and constraint in units of the error before the
fit (right), and what the signal strength moves when a parameter is held one standard deviation up or down (left), from
the fit's covariance; the largest twenty. While blinded all pulls are zero by construction: what the constraints say
is how much the data would know.
"""

SCULPTING = """\
Does a cut on **{label}** shape the fitted observable? Distribution of each background before and after cuts of three
signal efficiencies, events counting the same; the last bin reaches to the last event. Printed are the Jensen–Shannon
divergence in bits (in brackets: of as many events picked by chance), its p-value by permutation, and the distance
correlation of score and observable (in brackets: with permuted scores). A divergence near the chance's says that
nothing is seen with these events, not that there is nothing. Where asked for, the decorrelated score stands below.
"""

CLOSURE = """\
Closure of the background model with **{label}**: events found over events estimated, by test, with statistical errors
of the simulation. What the sideband shows, or how well it is known if that is larger, is the uncertainty of the
estimate in the fit.
"""

TAG_CLOSURE = """\
Closure of tag weights: expected events with so many tags, as simulated, over what drawn patterns of tags say, by
process, with the error of the difference: both are of the same events, and the efficiencies are measured on them. p:
probability of a larger difference, for each number of tags that at least five effective events are expected with, and
by χ² for all of them together with their correlations (numbers of tags with fewer events joined). A small p says that
patterns may not stand for tags; with few events a large one says little.
"""

VARIATIONS = """\
Templates of each process (columns) under each systematic (rows), up and down over the nominal ones, with **{label}**:
the bins of all regions one after the other. Grey: statistical error of the nominal template; bars: error of the
difference, smaller since the events are the same. A shape that is compatible with noise does not enter the fit.
"""
