#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bars of TCP throughput and of hub CPU per GB from a result of bench.py, as one SVG.

    plot.py RESULT.json OUT.svg

Plain text out, no library. Colours follow the reader's light or dark scheme; background and text change together, so it
is readable in both.
"""
import json
import sys
from xml.sax.saxutils import escape

LABEL_W, BAR_W, VALUE_W, GAP, PAD = 150, 200, 66, 24, 16
ROW, BAR, TOP = 24, 14, 62
PANELS = [("tcp1_mbps", "TCP, one stream", "Mbit/s, longer is better", 0),
          ("hub_cpu_s_per_gb", "CPU of the hub", "seconds per GB, shorter is better", 2)]
STYLE = """
  .bg { fill: #ffffff; stroke: #d0d7de; }  text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 14px; font-weight: 600; }  .dim { fill: #59636e; }  .strong { font-weight: 700; }
  .axis { stroke: #d0d7de; }  .range { stroke: #59636e; }
  .sixtap { fill: #1a7f37; }  .peer { fill: #6a9fd8; }  .reference { fill: #b7bec6; }  .other { fill: #bf8700; }
  @media (prefers-color-scheme: dark) {
    .bg { fill: #0d1117; stroke: #3d444d; }  text { fill: #f0f6fc; }  .dim { fill: #9198a1; }
    .axis { stroke: #3d444d; }  .range { stroke: #c9d1d9; }
    .sixtap { fill: #2ea043; }  .peer { fill: #3b6ea8; }  .reference { fill: #5a636d; }  .other { fill: #d29922; }
  }
"""


def text(x, y, s, cls="", anchor="start"):
    return '<text x="%g" y="%g" class="%s" text-anchor="%s">%s</text>' % (x, y, cls, anchor, escape(s))


def fmt(v, digits):
    return "%.*f" % (digits, v) if digits else "{:,.0f}".format(v).replace(",", "\u2009")


def panel(doc, names, x0, spec):
    key, title, unit, digits = spec
    s = doc["summary"]
    top = max([s[n]["metrics"][key]["max"] for n in names if key in s[n]["metrics"]] or [1])
    o = [text(x0, 28, title, "title"), text(x0, 46, unit, "dim"),
         '<line class="axis" x1="%g" y1="%g" x2="%g" y2="%g"/>' % (x0, TOP - 4, x0, TOP + ROW * len(names))]
    for i, n in enumerate(names):
        y = TOP + ROW * i
        v = s[n]["metrics"].get(key)
        if not v:
            why = "in the kernel" if s[n]["kind"] == "reference" else "no figure"
            o.append(text(x0 + 6, y + BAR - 2, why, "dim"))
            continue
        w = BAR_W * v["median"] / top
        hi = BAR_W * v["max"] / top
        o.append('<rect class="%s" x="%g" y="%g" width="%.1f" height="%d" rx="2"/>' % (s[n]["kind"], x0, y, max(w, 1), BAR))
        if v["n"] > 1:
            o.append('<line class="range" x1="%.1f" y1="%g" x2="%.1f" y2="%g"/>' % (
                x0 + BAR_W * v["min"] / top, y + BAR / 2, x0 + hi, y + BAR / 2))
        o.append(text(x0 + max(w, hi) + 6, y + BAR - 2, fmt(v["median"], digits),
                      "strong" if s[n]["kind"] == "sixtap" else ""))
    return o


def svg(doc):
    s = doc["summary"]
    names = [n for n in s if "tcp1_mbps" in s[n]["metrics"]]
    names.sort(key=lambda n: -s[n]["metrics"]["tcp1_mbps"]["median"])
    width = PAD * 2 + LABEL_W + len(PANELS) * (BAR_W + VALUE_W) + GAP
    height = TOP + ROW * len(names) + 50
    o = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" '
         'aria-label="TCP throughput and hub CPU per GB of SixTap and its peers">' % (width, height, width, height),
         "<style>%s</style>" % STYLE,
         '<rect class="bg" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>' % (width - 1, height - 1)]
    for i, n in enumerate(names):
        o.append(text(PAD + LABEL_W - 8, TOP + ROW * i + BAR - 2, n, "strong" if s[n]["kind"] == "sixtap" else "", "end"))
    for i, spec in enumerate(PANELS):
        o += panel(doc, names, PAD + LABEL_W + i * (BAR_W + VALUE_W + GAP), spec)
    o.append(text(PAD, height - 28, "Client to client through the hub, everything on one machine with %d CPUs, Linux %s, TCP %s."
                  % (doc["cpus"], doc["kernel"].split("-")[0], doc["args"]["cc"][0]), "dim"))
    o.append(text(PAD, height - 11, "Grey: in the kernel without crypto, and bare, which is no tunnel to use. Thin line: range of the rounds.", "dim"))
    return "\n".join(o + ["</svg>"]) + "\n"


def main(argv):
    if len(argv) != 3:
        print(__doc__)
        return 64
    with open(argv[1]) as f:
        doc = json.load(f)
    with open(argv[2], "w") as f:
        f.write(svg(doc))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
