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
backgrounds stacked, the signal as a line, scaled by the power of ten that the legend gives. Its cross
section depends on the couplings chosen for the sample: take its shape, not its size. The hatched band and
the bars are statistical errors of the simulation, √Σw². The legend gives the simulated events of each
process and what one of them stands for on average; a bin of about that height holds a single event. Below:
the same normalised to one, process by process. Where the figure says so, the first or last bin also holds
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
selection, weighted by σ·L, so that the background is mostly the process with the largest cross section.
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
Output of **{label}** on test events, as a density for each process by itself, normalised to one. The output
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

GRADCAM = (
    """\
Grad-CAM of **{variant}** for its signal logit, in true signal and true background test events: L_i =
ReLU(Σ_k α_k A_ik), with A the activations of a jet's tokens after its encoder and α_k the mean over real
tokens of ∂logit/∂A_ik. Maps are scaled to sum to one per event over the constituents of both jets, so they
say where evidence for signal lies, not how much there is. Upper row: mean share per cell, which also
follows where constituents are many. Lower row: what a constituent found in the cell is worth, relative to
the average one of its event. Each constituent stands at its own (Δη, Δφ) from its jet's axis; averages are
over seeds and, weighted by σ·L, over events. Events without any positive evidence are left out of the
averages. Cells with fewer than 10 constituents are blank; the median statistical error is written in each
panel, all errors and the spread over seeds are in the CSV.
"""
    + UNTESTED
    + FIRST_ROTATION
)

FAITHFULNESS = (
    """\
Does the explanation of **{variant}** mark what the network needs? Mean output on signal test events while
constituents are removed (left) or brought back (right) in the order of Grad-CAM, of attention, of pT, and
at random (mean of two orders). Removing masks a constituent in the network's input; kinematic tokens and
event features are not recomputed, so the output need not fall to zero. Lines are means over events and
seeds; bands are the statistical errors of the difference to random order on the same events. The legend
gives the paired difference of the area under the curve to random order: a faithful map is below zero for
deletion and above zero for insertion, and does better than pT order. The file faithfulness.json also holds
the spread over seeds and the rank correlation of the maps between seeds, with pT, and with a network whose
weights were shuffled, which should be close to zero.
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
Single test events as **{variant}** sees them: the first of each class, not chosen by hand; each row shows
one signal event (left) and one background event (right). Every constituent stands at its own (Δη, Δφ) from
its jet's axis, its area is proportional to pT. The colour is its share of the event's Grad-CAM towards
signal times the number of constituents of the event, so that 1 is the average constituent, averaged over
training seeds. The output is the sigmoid of the mean logit over seeds.
"""
    + FIRST_ROTATION
)
