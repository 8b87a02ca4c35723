"""How the page looks: two themes, narrow and wide screens, paper."""

from __future__ import annotations

from rtsched.report.palette import AREAS, DARK_LINES, LINES, ON_AREAS

__all__ = ["CSS", "PATTERNS"]


def _variables(colours: tuple[str, ...]) -> str:
    return "".join(f"--s{i}:{colour};" for i, colour in enumerate(colours))


_CLASSES = "".join(
    f".s{i}{{stroke:var(--s{i})}}.b{i}{{fill:var(--s{i})}}.t{i}{{fill:{area}}}.on{i}{{fill:{ink}!important}}"
    for i, (area, ink) in enumerate(zip(AREAS, ON_AREAS, strict=True))
)

CSS = f"""
:root{{color-scheme:light dark;--bg:#fff;--fg:#1a1a1a;--dim:#555;--rule:#d5d5d5;--card:#f6f6f4;--link:#005a9c;
--bad:#b3261e;{_variables(LINES)}}}
@media screen and (prefers-color-scheme:dark){{:root{{--bg:#15181c;--fg:#e8e8e6;--dim:#a9adb3;--rule:#3a3f46;--card:#1e2228;--link:#7cc0f4;
--bad:#ff9d94;{_variables(DARK_LINES)}}}}}
*{{box-sizing:border-box}}
html{{scroll-padding-top:1rem;-webkit-text-size-adjust:100%}}
body{{margin:0 auto;max-width:75rem;padding:0 1rem 3rem;background:var(--bg);color:var(--fg);font:1rem/1.5 system-ui,sans-serif;
overflow-wrap:break-word}}
h1{{overflow-wrap:anywhere;font-size:1.6rem;line-height:1.25;margin:1.5rem 0 .25rem}}
h2{{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-top:.5rem;border-top:2px solid var(--rule)}}
h3{{font-size:1rem;margin:1.25rem 0 .25rem}}
p{{max-width:45rem;margin:.5rem 0}}
a{{color:var(--link)}}
:focus-visible{{outline:3px solid var(--link);outline-offset:2px}}
.skip{{position:absolute;left:-999rem}}.skip:focus{{left:1rem;top:.5rem;background:var(--bg);padding:.5rem}}
nav ul,.legend,.facts{{list-style:none;padding:0;margin:.5rem 0;display:flex;flex-wrap:wrap;gap:.25rem 1rem}}
nav a{{display:inline-block;padding:.35rem 0}}
.legend{{font-size:.85rem}}.legend li{{display:flex;align-items:center;gap:.4rem;min-width:0;overflow-wrap:anywhere}}
.dim,.note,figcaption,caption{{color:var(--dim);font-size:.875rem}}
figcaption{{color:var(--fg);margin-bottom:.25rem}}
.bad{{color:var(--bad)}}
.cards,.grid{{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));margin:.75rem 0}}
.card{{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.75rem 1rem}}
.card{{min-width:0;overflow-wrap:anywhere}}.card h3{{margin:0 0 .25rem;display:flex;align-items:center;gap:.5rem}}
.card dl{{margin:0;display:grid;grid-template-columns:auto 1fr;gap:.1rem 1rem}}
.card dd{{margin:0;text-align:right;font-variant-numeric:tabular-nums}}
dt{{color:var(--dim)}}
figure{{margin:.5rem 0;min-width:0}}
figure svg{{display:block;width:100%;height:auto;max-width:30rem}}
figure.wide svg{{max-width:none;min-width:56rem}}
svg text{{font:11px system-ui,sans-serif;fill:var(--fg)}}
.g{{stroke:var(--rule);stroke-width:.6}}.a{{stroke:var(--dim);stroke-width:.8}}
.d{{stroke:var(--fg);stroke-width:1.2;stroke-dasharray:3 2}}
.l{{fill:none;stroke-width:1.8}}.band{{fill-opacity:.15}}
.sample{{flex:none}}.o{{stroke:var(--dim);stroke-width:.6}}
{_CLASSES}
.x{{stroke:var(--bad);stroke-width:1.6;fill:none}}.r{{stroke:var(--dim);stroke-width:1;fill:none}}
.scroll{{overflow-x:auto;max-width:100%}}
table{{border-collapse:collapse;font-size:.875rem;margin:.5rem 0;font-variant-numeric:tabular-nums}}
caption{{text-align:left;padding-bottom:.25rem}}
th,td{{padding:.2rem .6rem;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap}}
th:first-child{{padding-left:0;position:sticky;left:0;background:var(--bg)}}
tbody th,tfoot th{{font-weight:500}}
thead th{{vertical-align:bottom;border-bottom:2px solid var(--dim)}}
tfoot td,tfoot th{{border-bottom:0;border-top:2px solid var(--dim);font-weight:600}}
.n{{text-align:right}}
.w,.long{{white-space:normal}}.long{{overflow-wrap:anywhere;min-width:9rem}}td.w:last-child{{min-width:16rem}}
summary{{cursor:pointer;padding:.35rem 0;color:var(--link);font-size:.875rem}}
code{{overflow-wrap:anywhere}}
.defs{{position:absolute;width:0;height:0}}
@media print{{body{{max-width:none;padding:0;font-size:10pt}}nav,.skip,summary{{display:none}}.scroll{{overflow:visible}}
h2{{break-after:avoid}}figure,tr,.card{{break-inside:avoid}}figure.wide svg{{min-width:0}}a{{color:inherit;text-decoration:none}}
table{{font-size:8pt}}th,td{{padding:.1rem .3rem}}.grid,.cards{{grid-template-columns:repeat(2,1fr)}}
details::details-content{{content-visibility:visible;display:block}}*{{print-color-adjust:exact;-webkit-print-color-adjust:exact}}}}
"""

_HATCHES = {"h1": "M0 6L6 0", "h2": "M0 0L6 6", "h3": "M3 0V6"}

PATTERNS = '<svg class="defs" aria-hidden="true"><defs>{}</defs></svg>'.format(
    "".join(
        f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse"><path d="{d}" stroke="#000"/></pattern>'
        for name, d in _HATCHES.items()
    )
)
"""Hatches of areas; `rtsched.report.html.svg.area` refers to them."""
