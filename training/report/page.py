"""The report as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from galaxies.cards import ModelCard
from training.report import charts, summary
from training.report.pictures import COLUMNS, sample_rows

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #5c6670; --line: #d8dde2;
  --made: #c2410c; --real: #3b82c4; --floor: #64748b; }
@media (prefers-color-scheme: dark) { :root { --paper: #12161b; --ink: #e4e8ec; --soft: #9aa5b1; --line: #2d353e;
  --made: #fb923c; --real: #60a5fa; --floor: #94a3b8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; background: var(--paper);
  color: var(--ink); }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } p { margin: .4rem 0; }
.soft, figcaption { color: var(--soft); font-size: .85rem; }
img { width: 100%; height: auto; display: block; image-rendering: auto; border-radius: 4px; }
svg { width: 100%; height: auto; display: block; }
figure { margin: 0; min-width: 0; } figure > b { font-size: .85rem; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
.wide { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
.scroll { overflow-x: auto; margin: .8rem 0; }
.large { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(27rem, 100%), 1fr)); }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.yes { color: var(--made); font-weight: 600; }
.verdict { border-left: 4px solid var(--real); padding: .2rem .8rem; } .verdict.bad { border-color: var(--made); }
.key span { display: inline-block; margin-right: 1rem; } .key i { display: inline-block; width: .9rem; height: .6rem;
  margin-right: .3rem; }
"""
KEY = (
    '<p class="soft key"><span><i style="background:var(--made)"></i>generated</span>'
    '<span><i style="background:var(--real)"></i>real (training)</span>'
    '<span><i style="background:var(--floor)"></i>floor: other real</span></p>'
)
RELATIONS = {"mse": "mean squared error over the whole image", "cropped_l1": "mean absolute difference over the central half"}


def page(card: ModelCard, report: dict[str, Any], images: dict[str, Any], log: list[dict[str, Any]]) -> str:
    """The page; ``images`` are the data URIs of `training.report.write`."""
    parts = [
        _head(card, report),
        _section("In short", _summary(report)),
        _section("Samples", _samples(card, images)),
        _section("To the Inception network", _perceptual(report["perceptual"])),
    ]
    if "physical" in report:
        parts.append(_section("Physical distributions", _physical(report["physical"])))
    if "score" in report:
        parts.append(_section("Similarity scores", _score(report["score"])))
    parts.append(_section("Nearest training images", _nearest(report, images)))
    if log:
        parts.append(_section("Training", _curves(log)))
    parts.append(_section("What it was trained on", _origin(card)))
    title = f"Evaluation of {escape(card.reference)}"
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style>'
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>\n{body}</section>"


def _head(card: ModelCard, report: dict[str, Any]) -> str:
    seen = card.training.get("images_seen")
    facts = [
        escape(card.architecture),
        f"{card.resolution} px",
        escape(", ".join(band.name for band in card.bands)),
        f"{seen / 1000:,.0f} thousand images seen" if isinstance(seen, int | float) else "",
    ]
    known = " · ".join(fact for fact in facts if fact)
    return f'<h1>{escape(card.title)}</h1><p class="soft">{escape(card.reference)} · {known}</p><p>{escape(card.description)}</p>'


def _summary(report: dict[str, Any]) -> str:
    bad = "" if report["memorisation"]["passed"] else " bad"
    first, *rest = [escape(text) for text in summary.sentences(report)]
    display = report.get("display")
    note = (
        '<p class="soft">The model makes display images: physical statistics are those of display levels. They compare galaxies '
        "with galaxies of the same kind and are no fluxes.</p>"
        if display
        else ""
    )
    return f'<p class="verdict{bad}">{first}</p>' + "".join(f"<p>{text}</p>" for text in rest) + note


def _samples(card: ModelCard, images: dict[str, Any]) -> str:
    rows = f", a row each: {', '.join(card.class_names())}" if card.classes else ""
    captions = {
        "real": f"real galaxies of the training set{rows}",
        "full": f"generated, not chosen: seeds 0 … {COLUMNS * sample_rows(card) - 1} at ψ = 1",
        "truncated": f"generated: the same at the card's ψ = {card.truncation:g}",
    }
    figures = [
        f'<figure><img alt="{escape(text)}" src="{images["samples"][key]}"><figcaption>{escape(text)}</figcaption></figure>'
        for key, text in captions.items()
        if key in images["samples"]
    ]
    return f'<div class="large">{"".join(figures)}</div>'


def _perceptual(found: dict[str, Any]) -> str:
    floor, same = found["floor"], found["floor"]["same_size"]
    rows = []
    for name, part in found.items():
        if name == "floor":
            continue
        extra = f" ± {part['deviation']:.2g}" if "deviation" in part else ""
        extra = f" ({part['interval'][0]:.3f} … {part['interval'][1]:.3f})" if "interval" in part else extra
        counts = f"{part['n_generated']:,} : {part['n_reference']:,}" if "n_reference" in part else f"{part['n_generated']:,}"
        rows.append((name.replace("_", " "), f"{part['value']:.4g}{extra}", counts))
    sizes = f"{floor['n_first']:,} : {floor['n_second']:,}"
    for name, bounds, digits in (("fid", "range", 1), ("precision", "interval", 3), ("recall", "interval", 3)):
        for words, part in (("at the floor's sizes", same), ("real against real", floor)):
            low, high = part[f"{name}_{bounds}"]
            rows.append((f"{name}, {words}", f"{part[name]:.4g} ({low:.{digits}f} … {high:.{digits}f})", sizes))
    rows.append(("kid, real against real", f"{floor['kid']:.2g} ± {floor['kid_deviation']:.2g}", sizes))
    note = (
        f"Brackets hold, for FID, the range over {floor['splits']} random halvings of the real images, for precision and recall "
        "95 % of bootstrap resamplings; ± is the deviation over subsets."
    )
    return f'<p class="soft">{note}</p>{_table(("figure", "value", "images"), rows, numbers=(1, 2))}'


def _physical(found: dict[str, Any]) -> str:
    names = summary.ranked(found)
    rows, figures = [], []
    for name in names:
        part = found["statistics"][name]
        mine, floor = part["generated"], part["floor"]
        verdict = '<span class="yes">told apart</span>' if part["told_apart"] else "not told apart"
        rows.append((escape(name), _with_interval(mine, "wasserstein"), _with_interval(floor, "wasserstein"),
                     _with_interval(mine, "ks"), _with_interval(floor, "ks"), verdict))  # fmt: skip
        if part["drawn"]:
            figures.append(f"<figure><b>{escape(name)}</b>{charts.histogram(name, part)}</figure>")
    table = _table(("statistic", "W₁ / σ", "floor", "KS", "floor", "at 5 %, Holm"), rows, numbers=(1, 2, 3, 4), escaped=True)
    joint = found["joint_energy"]
    energy = (
        f"<p>Joint energy distance of all scalar statistics: {joint['generated']['value']:.3f} "
        f"({joint['generated']['interval'][0]:.3f} … {joint['generated']['interval'][1]:.3f}), "
        f"p = {joint['generated']['p']:.3g}; "
        f"real against real {joint['floor']['value']:.3f}.</p>"
        if joint["generated"] and joint["floor"]
        else ""
    )
    wide = [f"<figure><b>Radial power spectrum</b>{charts.spectrum(found['spectra'])}</figure>"]
    if found["colour_magnitude"]:
        wide.append(f"<figure><b>Colour-magnitude diagram</b>{charts.colour_magnitude(found['colour_magnitude'])}</figure>")
    return (
        f'<p class="soft">{found["n"]:,} galaxies a set. W₁: 1-Wasserstein distance in standard deviations of the real values; '
        "brackets hold 95 % of bootstrap resamplings; resampling adds scatter of its own, so those of a small distance can lie "
        "above it. The floor is real galaxies against other real ones.</p>"
        f'{KEY}<div class="wide">{"".join(wide)}</div>{table}{energy}<div class="grid">{"".join(figures)}</div>{_flags(found)}'
    )


def _score(found: dict[str, Any]) -> str:
    rows = [
        (
            "mean; median",
            *(f"{found['mean'][key]:.2f}; {found['median'][key]:.2f}" for key in ("generated", "real")),
            "",
        ),
        ("mean spread of the members", f"{found['spread']['generated']:.2f}", f"{found['spread']['real']:.2f}", ""),
    ]
    for name, words in (("ks", "KS"), ("wasserstein", "W₁ in points of the score")):
        rows.append((words, _with_interval(found["generated"], name), "", _with_interval(found["floor"], name)))
    key = KEY.replace("real (training)", found["reference"]).replace("other real", "half of them")
    heading = ("", f"generated ({found['n_generated']:,})", f"{found['reference']} ({found['n_reference']:,})", "floor")
    return (
        f'<p class="soft">Judged by {escape(found["scorer"])}. {escape(found["meaning"])} The floor is one half of the '
        f"real images against the other.</p>{key}"
        f'<div class="grid"><figure><b>Score</b>{charts.histogram("score", found)}</figure></div>'
        f"{_table(heading, rows, numbers=(1, 2, 3))}"
    )


def _flags(found: dict[str, Any]) -> str:
    n = found["n"]
    rows = [
        (words, *(f"{found['flags'][key][name]} ({found['flags'][key][name] / n:.1%})" for key in ("generated", "real", "floor")))
        for name, words in summary.FLAG_WORDS.items()
    ]
    return "<h2>Failed and doubtful fits</h2>" + _table(("", "generated", "real", "other real"), rows, numbers=(1, 2, 3))


def _nearest(report: dict[str, Any], images: dict[str, Any]) -> str:
    verdict = report["memorisation"]
    rows = []
    for name, part in verdict["measures"].items():
        for row in part["quantiles"]:
            interval = f"{row['ratio']:.2f} ({row['interval'][0]:.2f} … {row['interval'][1]:.2f})"
            said = "fails" if row["fails"] else "passes"
            rows.append((name.replace("_", " "), f"{row['quantile']:.0%}", f"{row['generated']:.3g}", f"{row['reference']:.3g}",
                         interval, f"{part['allowed_ratio']:g}", said))  # fmt: skip
    table = _table(
        ("distance to training", "quantile", "generated", verdict["reference"], "ratio", "least allowed", ""),
        rows,
        (1, 2, 3, 4, 5),
    )
    figures = [
        f'<figure><img alt="nearest training images by {key}" src="{images["nearest"][key]}"><figcaption>By {text}: the closest '
        f"matches of the first {report['nearest']['searched']} seeds. Each row: generated, its nearest training image (moved by "
        "the best of the eight symmetries), their difference (grey is none, twice as strong), the next three."
        "</figcaption></figure>"
        for key, text in RELATIONS.items()
    ]
    return f'<div class="wide">{"".join(figures)}</div>{table}'


def _curves(log: list[dict[str, Any]]) -> str:
    figures = [f"<figure><b>{escape(name)}</b>{svg}</figure>" for name, svg in charts.curves(log).items()]
    return f'<div class="grid">{"".join(figures)}</div>'


def _origin(card: ModelCard) -> str:
    wanted = ("dataset", "images", "credits", "images_seen", "seconds", "device", "dataset_digest")
    rows = [(key.replace("_", " "), str(card.training[key])) for key in wanted if key in card.training]
    rows += [("class " + entry.name, f"{entry.count:,} images") for entry in card.classes]
    difference = card.parity.get("max_abs_difference")
    if isinstance(difference, float):
        rows.append(("greatest ONNX-torch difference", f"{difference:.1e}"))
    return _table(("", ""), rows)


def _with_interval(part: dict[str, Any] | None, name: str) -> str:
    if part is None:
        return "–"
    low, high = part[f"{name}_interval"]
    return f"{part[name]:.3f} ({low:.3f} … {high:.3f})"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], numbers: tuple[int, ...] = (), escaped: bool = False) -> str:
    def cells(tag: str, row: tuple[str, ...]) -> str:
        kinds = [' class="n"' if i in numbers else "" for i in range(len(row))]
        return "".join(f"<{tag}{kind}>{text if escaped else escape(text)}</{tag}>" for kind, text in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    top = f"<tr>{cells('th', head)}</tr>" if any(head) else ""
    return f'<div class="scroll"><table>{top}{body}</table></div>'
