"""What the figures mean, in words, the biggest failures first."""

from __future__ import annotations

from typing import Any

FLAG_WORDS = {
    "no_source": "no galaxy found",
    "isophotes_from_moments": "isophotes did not fit; the segment's moments stand in",
    "statmorph_failed": "statmorph gave up",
    "statmorph_flagged": "statmorph doubts its numbers",
    "sersic_failed": "the Sérsic fit failed or is doubtful",
    "timed_out": "took too long",
}


def ranked(physical: dict[str, Any]) -> list[str]:
    """Names of the statistics, those farthest from real first (1-Wasserstein distance in real standard deviations)."""
    found = {name: part["generated"]["wasserstein"] for name, part in physical["statistics"].items() if part["generated"]}
    return sorted(found, key=lambda name: -found[name])


def physical(found: dict[str, Any]) -> dict[str, Any]:
    """The few physical figures that belong on the card."""
    statistics = {name: part for name, part in found["statistics"].items() if part["generated"]}
    apart = [name for name in ranked(found) if statistics[name]["told_apart"]]
    answer = {
        "n": found["n"],
        "statistics": len(statistics),
        "told_apart": len(apart),
        "worst": apart[:3],
        "mean_ks": _mean(part["generated"]["ks"] for part in statistics.values()),
        "mean_ks_floor": _mean(part["floor"]["ks"] for part in statistics.values() if part["floor"]),
        "joint_energy": found["joint_energy"]["generated"] and found["joint_energy"]["generated"]["value"],
        "joint_energy_floor": found["joint_energy"]["floor"] and found["joint_energy"]["floor"]["value"],
    }
    if found["colour_magnitude"]:
        answer["colour_magnitude_share"] = found["colour_magnitude"]["share"]
    return answer


def score(found: dict[str, Any]) -> dict[str, Any]:
    """The few figures of scores that belong on the card."""
    distances = found["generated"] and {"ks": found["generated"]["ks"], "wasserstein": found["generated"]["wasserstein"]}
    return {
        "scorer": found["scorer"],
        "value": found["mean"]["generated"],
        "real": found["mean"]["real"],
        **(distances or {}),
        "n_generated": found["n_generated"],
        "n_reference": found["n_reference"],
    }


def sentences(report: dict[str, Any]) -> list[str]:
    """The summary: memorisation, perception, then the statistics that fail and those that do not."""
    said = [_memorisation(report["memorisation"]), _perceptual(report["perceptual"])]
    if "physical" in report:
        said += _physical(report["physical"])
    if "score" in report:
        said.append(_score(report["score"]))
    return said


def _memorisation(verdict: dict[str, Any]) -> str:
    against = f"compared with {verdict['n_reference']} {verdict['reference']}"
    if verdict["passed"]:
        return (
            f"The memorisation gate is passed: {verdict['n_generated']} generated images lie no closer to training images than "
            f"it allows, {against}."
        )
    where = ", ".join(verdict["failures"])
    return f"The memorisation gate fails: generated images lie too close to training images, {against}, at {where}."


def _perceptual(found: dict[str, Any]) -> str:
    floor = found["floor"]
    same = floor["same_size"]
    mine, real = same["fid"], floor["fid"]
    return (
        f"To the Inception network, {floor['n_first']} generated images are at FID {mine:.1f} from as many real ones; real ones "
        f"are at {real:.1f} from each other. Of the same numbers, {same['precision']:.0%} of the generated images lie among real "
        f"ones (precision; real against real {floor['precision']:.0%}), and {same['recall']:.0%} of the real ones among "
        f"generated ones (recall; real against real {floor['recall']:.0%})."
    )


def _score(found: dict[str, Any]) -> str:
    mine, floor = found["generated"], found["floor"]
    ks = f" (KS {mine['ks']:.2f}" + (f", real against real {floor['ks']:.2f})" if floor else ")") if mine else ""
    return (
        f"The scorer {found['scorer']} gives generated images {found['mean']['generated']:.2f} of 8 in the mean, "
        f"{found['reference']} {found['mean']['real']:.2f}{ks}."
    )


def _physical(found: dict[str, Any]) -> list[str]:
    names = ranked(found)
    statistics = found["statistics"]
    apart = [name for name in names if statistics[name]["told_apart"]]
    same = [name for name in names if not statistics[name]["told_apart"]]
    said = []
    if apart:
        parts = [f"{name} ({_shift(statistics[name])})" for name in apart]
        said.append(f"Told apart from real at {found['n']} galaxies, the biggest failures first: {'; '.join(parts)}.")
    if same:
        said.append(f"Not to be told apart from real at {found['n']} galaxies: {', '.join(same)}.")
    missing = [name for name, part in statistics.items() if not part["generated"]]
    if missing:
        said.append(f"Too few galaxies could be measured for: {', '.join(missing)}.")
    shares = found["colour_magnitude"] and found["colour_magnitude"]["share"]
    if shares:
        said.append(
            f"{shares['generated']:.0%} of the generated galaxies lie within 1.75 σ of the real median in magnitude and colour; "
            f"of the real ones {shares['real']:.0%}, and of other real ones {shares['floor']:.0%}."
        )
    return said


def _shift(part: dict[str, Any]) -> str:
    """How far and whither: the distance in real standard deviations, and whether the median is higher or lower."""
    floor = f", floor {part['floor']['wasserstein']:.2f}" if part["floor"] else ""
    mine, real = part["median"]["generated"], part["median"]["real"]
    whither = "higher" if mine > real else "lower" if mine < real else "equal median"
    return f"{part['generated']['wasserstein']:.2f} σ{floor}, {whither}"


def _mean(values: Any) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
