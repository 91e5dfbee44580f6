"""The certificate as one self-contained page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from mcbrain.certificate import figures
from mcbrain.certificate.approximations import error_table
from mcbrain.certificate.covariance_tables import HEAD, STAGES, covariance_table, summaries
from mcbrain.certificate.scores import Score, score_table
from mcbrain.certificate.verdict import ALARM, FAMILIES, Certificate
from mcbrain.store.atomic import write_text
from mcbrain.store.segments import write_table

__all__ = ["render", "save"]

_WORST = 20

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mcbrain certificate</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
       padding: 0 1rem; color: #1b1b1b; }
h1 { margin-bottom: 0.2rem; } h2 { margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 13px; }
td, th { padding: 0.2rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { padding: 0.7rem 1rem; border-left: 6px solid; background: #f5f5f5; font-weight: 600; }
.yes { border-color: #2a7d3f; } .no { border-color: #b3261e; }
b.no { color: #b3261e; } b.yes { color: #2a7d3f; }
img { max-width: 100%; } .wide { overflow-x: auto; } p.note { color: #555; }
</style></head><body>
<h1>Certificate of the laws</h1>
<p class="note"><code>{{ c.command }}</code> &middot; {{ c.platform }} &middot;
{{ "%.0f"|format(c.seconds) }} s</p>
<p class="verdict {{ 'yes' if c.passed else 'no' }}">{{ c.verdict }}</p>
<p>Each law is held against rows of the engines <em>raw</em> and <em>sufficient</em>, which do not
use it, at fixed counts of replicates, over a seeded random design: {{ cells }} cells,
d = {{ dims[0] }} to {{ dims[1] }}, n_T / d = {{ "%.2g"|format(dims[2]) }} to
{{ "%.2g"|format(dims[3]) }}. If every law is true, some check fails with a probability of at most
{{ alarm }}, divided equally among the families; within a family by Bonferroni's inequality, which
holds although outputs of one cell share data. Calibration is tested on one z-score of each cell,
which share none.</p>

<h2>Checks</h2>
<div class="wide"><table><tr><th>check</th><th></th><th>what was found</th>
<th class="n">false-alarm rate</th></tr>
{% for check in c.checks %}<tr><td>{{ check.name }}</td>
<td><b class="{{ 'yes' if check.passed else 'no' }}">{{ "passed" if check.passed else "FAILED" }}
</b></td><td>{{ check.sentence }}</td><td class="n">{{ "%.1e"|format(check.alarm) }}</td></tr>
{% endfor %}</table></div>

<h2>Normal plots</h2>
<p>Points on the line: the laws are exact and the standard errors honest. Dashed: the bound.</p>
<img alt="Ordered z-scores against normal quantiles" src="{{ qq }}">
<img alt="z-scores of the laws by dimension and sample size" src="{{ by_dimension }}">

<h2>Worst cells</h2>
<div class="wide"><table><tr><th class="n">z</th><th>family</th><th>output</th><th>cell</th>
<th>engine</th><th class="n">mean</th><th class="n">mcse</th><th class="n">reference</th>
<th class="n">its se</th></tr>
{% for s in worst %}<tr><td class="n">{{ "%.2f"|format(s.z) }}</td><td>{{ s.family }}</td>
<td>{{ s.what }}{% if not s.family.endswith("laws") %} {{ s.estimator }} {{ s.shift }}{% endif %}
</td><td>{{ s.setting }}</td><td>{{ s.engine }}</td><td class="n">{{ number(s.mean) }}</td>
<td class="n">{{ number(s.mcse) }}</td><td class="n">{{ number(s.reference) }}</td>
<td class="n">{{ number(s.reference_se) }}</td></tr>
{% endfor %}</table></div>
<p class="note">Not scored, because a mean there has no normal distribution or no law is known:
{{ excluded }}.</p>

<h2>When to believe an approximation</h2>
<p>Relative error of each approximation of section 5, approximation / truth &minus; 1, in percent.
5a and 5b: m_bar with three latents, p = 0.6 d, m = 0.1 and all gains and noises 1, against whole
raw brain stages, known to {{ "%.1f"|format(100 * noise) }} % or better. 5c and 5d: tuned ridge at
|beta| = sigma_y = 1 against the exact law that the checks above certify.</p>
{% for picture, one in maps %}<img alt="{{ one.title }}" src="{{ picture }}">
{% endfor %}
<p>The whole risk as <code>mcbrain predict</code> gives it, against the simulated rows of the
design with their Monte-Carlo errors: <em>befs</em> and <em>projection</em> by law 5b, two penalties
by law 5e (which here knows the moments of the subspace):</p>
<img alt="Error of the predicted risk" src="{{ predicted }}">

<h2>Under other covariances</h2>
<p>Laws 5f and 5g in {{ covariance_cells }} cells of a random design of power laws and real
features: errors of the mean risk against engine <em>sufficient</em>. With the subspace known the
law is 5f alone; with recordings, which engine and law draw each for itself, it is both.</p>
{% for title, classes in covariance %}<div class="wide"><table><tr><th>{{ title }}</th>
{% for word in head %}<th class="n">{{ word }}</th>{% endfor %}</tr>
{% for one in classes %}<tr><td>{{ one.words()[0] }}</td>
{% for word in one.words()[1:] %}<td class="n">{{ word }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
{% endfor %}
<h2>What stopping at a target does</h2>
<p>Runs of problems with a known mean, stopped by the rule of every run (looks at 64 blocks and
doublings) where it is weakest: blocks of one and of four replicates, targets near what the first
look gives. Bias is in units of the target standard error.</p>
<div class="wide"><table><tr><th>problem</th><th class="n">replicates in a block</th>
<th class="n">runs</th><th class="n">stopped at 64</th><th class="n">bias</th>
<th class="n">z of bias</th><th class="n">coverage of &plusmn;1.96 mcse</th></tr>
{% for r in c.stopping %}<tr><td>{{ r.what }}</td><td class="n">{{ r.block }}</td>
<td class="n">{{ r.runs }}</td><td class="n">{{ "%.0f"|format(100 * r.at_first_look) }} %</td>
<td class="n">{{ "%+.3f"|format(r.bias) }} &plusmn; {{ "%.3f"|format(r.bias_error) }}</td>
<td class="n">{{ "%+.1f"|format(r.bias / r.bias_error) }}</td>
<td class="n">{{ "%.3f"|format(r.coverage) }} &plusmn; {{ "%.3f"|format(r.coverage_error) }}</td>
</tr>
{% endfor %}</table></div>
<p class="note">Every z-score is a row of certificate.arrow, every number of the maps a row of
approximations.arrow, every mean under other covariances a row of covariance.arrow.</p>
</body></html>
"""


def render(certificate: Certificate) -> str:
    """The page, with its figures inside.

    Parameters
    ----------
    certificate : Certificate
        All that was found.

    Returns
    -------
    str
        HTML, with the figures inside.
    """
    from jinja2 import Environment, StrictUndefined

    scores = certificate.scores
    scored = [s for s in scores if s.z is not None]
    laws = [s for s in scored if s.family.endswith("laws")]
    families = list(dict.fromkeys(s.family for s in scored))
    excluded = Counter(s.excluded for s in scores if s.excluded)
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
    return template.render(
        c=certificate,
        alarm=ALARM,
        cells=len({s.cell for s in laws}),
        dims=_extremes(laws),
        qq=figures.qq_plot(scores, families, ALARM / FAMILIES),
        by_dimension=figures.scores_by_dimension(scores),
        worst=sorted(scored, key=lambda s: -abs(s.z or 0.0))[:_WORST],
        excluded=", ".join(f"{word} {count}" for word, count in excluded.items()) or "none",
        maps=[(figures.error_map(one), one) for one in certificate.maps],
        covariance_cells=len({row.cell for row in certificate.covariance}),
        covariance=[
            (title, list(summaries(certificate.covariance, stage)))
            for stage, title in STAGES.items()
        ],
        head=HEAD[1:],
        noise=max((float(one.noise.max()) for one in certificate.maps), default=0.0),
        predicted=figures.predicted_error(scores),
        number=lambda value: "" if value is None else f"{value:.4g}",
    )


def save(certificate: Certificate, folder: Path) -> None:
    """Write certificate.html and the tables behind it, every score and error in a row of its own.

    Parameters
    ----------
    certificate : Certificate
        All that was found.
    folder : Path
        Made if it does not exist; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "mcbrain.verdict": certificate.verdict,
        "mcbrain.seed": str(certificate.seed),
        "mcbrain.command": certificate.command,
        "mcbrain.platform": certificate.platform,
    }
    for name, table in (
        ("certificate.arrow", score_table(certificate.scores)),
        ("approximations.arrow", error_table(certificate.maps)),
        ("covariance.arrow", covariance_table(certificate.covariance)),
    ):
        schema: pa.Schema = table.schema.with_metadata(about)
        write_table(folder / name, table.to_batches(), schema)
    write_text(folder / "certificate.html", render(certificate))


def _extremes(laws: Sequence[Score]) -> tuple[int, int, float, float]:
    """The least and the largest dimension, and the same of n_task / d."""
    d = [s.input_dim for s in laws] or [0]
    ratio = [s.n_task / s.input_dim for s in laws] or [0.0]
    return min(d), max(d), min(ratio), max(ratio)
