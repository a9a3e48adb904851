#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench.py measured, as tables.

    report.py RESULT.json                  the short table and the bars
    report.py RESULT.json MEASURE...       only these columns of it: tcp1 tcp4 pps hub machine rtt p99
    report.py --publish SECTION RESULT.json FILE.md
                                           puts them between <!-- bench:SECTION --> and <!-- /bench:SECTION -->;
                                           a SECTION "short" is the short table and the plot; any other text file than
                                           *.json is put there as it is, as a block of code
    report.py --merge OUT.json RESULT.json...  one run of several that followed one another on one machine

A cell is the median of the rounds. Ratios are within that run: to the baseline (vxlan), and to the best peer, which is
the best of all user-space tunnels but SixTap.
"""
import json
import statistics
import sys

# key, heading, digits, better is "high" or "low"
METRICS = [
    ("tcp1_mbps", "TCP 1 stream, Mbit/s", 0, "high"),
    ("tcp4_mbps", "TCP 4 streams, Mbit/s", 0, "high"),
    ("udp64_pps", "UDP 64 B, pkt/s at <1 % loss", 0, "high"),
    ("udp1300_pps", "UDP 1300 B, pkt/s at <1 % loss", 0, "high"),
    ("hub_cpu_s_per_gb", "hub process CPU s/GB (TCP 1)", 2, "low"),
    ("busy_s_per_gb", "whole machine busy s/GB (TCP 1)", 2, "low"),
    ("tcp1_retrans_pct", "TCP 1 retransmitted segments, %", 1, "low"),
    ("hub_us_per_pkt64", "hub process CPU µs/pkt (UDP 64 B)", 2, "low"),
    ("rtt_us_median", "RTT idle median, µs", 0, "low"),
    ("rtt_us_p99", "RTT idle p99, µs", 0, "low"),
    ("rtt_load_us_median", "RTT under TCP median, µs", 0, "low"),
    ("rtt_load_us_p99", "RTT under TCP p99, µs", 0, "low"),
    ("rtt_load_lost", "echoes of 200 lost under TCP", 0, "low"),
    ("hub_rss_mb", "hub RSS 2 clients, MiB", 1, "low"),
    ("hub_rss50_mb", "hub RSS 50 clients, MiB", 1, "low"),
]
CC_METRICS = ("tcp1_mbps", "hub_cpu_s_per_gb", "busy_s_per_gb", "tcp1_retrans_pct", "rtt_load_us_median",
              "rtt_load_us_p99", "rtt_load_lost")     # measured once for every congestion control
NO_RATIO = ("tcp1_retrans_pct", "rtt_load_lost")

# name on the command line, key, heading, divide by, digits, better
SHORT = [
    ("tcp1", "tcp1_mbps", "TCP 1 stream, Mbit/s", 1, 0, "high"),
    ("tcp4", "tcp4_mbps", "4 streams, Mbit/s", 1, 0, "high"),
    ("pps", "udp64_pps", "64 B, pkt/s", 1, 0, "high"),
    ("hub", "hub_cpu_s_per_gb", "hub CPU, s/GB", 1, 2, "low"),
    ("machine", "busy_s_per_gb", "whole machine, s/GB", 1, 2, "low"),
    ("rtt", "rtt_us_median", "RTT idle, µs", 1, 0, "low"),
    ("p99", "rtt_load_us_p99", "RTT p99 under TCP, ms", 1000, 2, "low"),
]
TENFOLD = ("fastd", "openvpn", "tinc", "n2n", "nebula", "quicktun")    # the rivals that TCP is to beat ten times

# What is to be reached. metric, what it is compared with, how, bound, stretch goal
BARS = {
    False: [
        ("tcp1", "vxlan", ">=", 0.5, 0.65),
        ("tcp1", "tenfold", ">=", 10, None),
        ("tcp4", "own tcp1", ">=", 1.0, None),
        ("hub", "absolute", "<=", 0.45, None),
        ("pps", "peer", ">=", 3, None),
        ("rtt", "peer", "<=", 1.1, None),
        ("p99", "peer", "<=", 0.6, None),
        ("p99", "absolute", "<=", None, 1.0),
    ],
    True: [
        ("tcp1", "vxlan", ">=", 0.9, None),
        ("hub", "absolute", "<=", 1.0, None),
    ],
}


# -- figures ------------------------------------------------------------------------
def summarize(runs, many, baseline):
    s = {}
    for r in runs:
        e = s.setdefault(r["driver"], {"rounds": 0, "failed": [], "errors": [], "metrics": {}, "at_least": [],
                                       "crypto": r["crypto"], "note": r["note"], "kind": r["kind"]})
        if r["status"] == "ok":
            e["rounds"] += 1
        else:
            e["failed"].append(r.get("reason", "?"))
        e["errors"] += r.get("errors", [])
        e["at_least"] += r.get("at_least", [])
        for k, v in r["metrics"].items():
            if v is not None:
                e["metrics"].setdefault(k, []).append(v)
    for name, v in many.items():
        if name in s and v.get("has_process") and "rss_mb" in v:
            s[name]["metrics"]["hub_rss50_mb"] = [v["rss_mb"]]
    for e in s.values():
        e["metrics"] = {k: {"min": min(v), "median": statistics.median(v), "max": max(v), "n": len(v)}
                        for k, v in e["metrics"].items()}
    base = s.get(baseline, {}).get("metrics", {})
    for e in s.values():
        for k, v in e["metrics"].items():
            if k in base and base[k]["median"] and k.split("@")[0] not in NO_RATIO:
                v["ratio"] = v["median"] / base[k]["median"]
    return s


def median(s, name, key):
    v = s.get(name, {}).get("metrics", {}).get(key)
    return v["median"] if v else None


def of_kind(s, *kinds):
    return [n for n, e in s.items() if e["kind"] in kinds]


def best(s, names, key, better):
    """(value, name) of the best of @names, None when none has the figure."""
    got = [(median(s, n, key), n) for n in names if median(s, n, key) is not None]
    return (max if better == "high" else min)(got) if got else None


def number(x, digits):
    return ("%.*f" % (digits, x)) if digits else "{:,.0f}".format(x).replace(",", " ")


# -- tables ---------------------------------------------------------------------------
def heading(doc):
    a = doc["args"]
    return ["%s; %d CPUs; Linux %s; %s; inner MTU 1400; TCP congestion control %s; %d round%s, order rotated; %g s TCP, "
            "%g s UDP trials; measured %s." % (
                doc["cpu"], doc["cpus"], doc["kernel"],
                "MTU-sized packets on the wire" if a["wire"] else "veths that pass GSO packets whole",
                " and ".join(a["cc"]) + (" (%s unless said otherwise)" % a["cc"][0] if a["cc"][1:] else ""),
                a["rounds"], "" if a["rounds"] == 1 else "s", a["seconds"], a["udp_seconds"], doc["when"]),
            "Hub, both clients and both traffic ends share those CPUs."]


def short_table(doc, wanted=()):
    """Medians, the fastest first; with ratios to the baseline and the best peer where one measure is asked for."""
    s, base = doc["summary"], doc["baseline"]
    cols = [c for c in SHORT if not wanted or c[0] in wanted]
    cols = [c for c in cols if any(median(s, n, c[1]) is not None for n in s)]
    o = ["| system | crypto | " + " | ".join(c[2] for c in cols) + " |", "|---|---" + "|--:" * len(cols) + "|"]
    names = sorted((n for n in s if s[n]["metrics"]), key=lambda n: -(median(s, n, cols[0][1] if cols else "") or 0))
    for n in names:
        row = []
        for _, key, _, div, digits, better in cols:
            v = median(s, n, key)
            if v is None:
                row.append("–")
                continue
            cell = ("≥" if key in s[n]["at_least"] else "") + number(v / div, digits)
            if wanted:
                top = best(s, of_kind(s, "peer"), key, better)
                for other, what in ((median(s, base, key), base), (top[0] if top else None, "best peer, " + top[1]
                                                                  if top else "")):
                    if other:
                        cell += "; ×%.2f %s" % (v / other, what)
            row.append(cell)
        bold = "**" if s[n]["kind"] == "sixtap" else ""
        o.append("| %s%s%s | %s | %s |" % (bold, n, bold, s[n]["crypto"], " | ".join(row)))
    return o


def rival(doc, name, against, key, better):
    """(figure to divide by, its name) for one bar; None when it was not measured."""
    s = doc["summary"]
    if against == "absolute":
        return 1.0, ""
    if against == "own tcp1":
        v = median(s, name, "tcp1_mbps")
        return (v, "own 1 stream") if v else None
    if against == "vxlan":
        v = median(s, "vxlan", key)
        return (v, "vxlan") if v else None
    names = of_kind(s, "peer")
    if against == "tenfold":
        names = [n for n in names if n.startswith(TENFOLD)]
    return best(s, names, key, better)


def reached(doc, name, bar):
    """(figure of @name as the bar counts, whose it is divided by); None when something was not measured."""
    short, against, *_ = bar
    _, key, _, div, _, better = next(c for c in SHORT if c[0] == short)
    v, r = median(doc["summary"], name, key), rival(doc, name, against, key, better)
    if v is None or not r or not r[0]:
        return None
    return (v / div if against == "absolute" else v / r[0]), r[1]


def bar_row(doc, name, bar):
    short, against, how, bound, stretch = bar
    head = next(c for c in SHORT if c[0] == short)[2]
    got, least = reached(doc, name, bar), reached(doc, "bare", bar)
    if not got:
        return None
    x, whose = got

    def holds(b):
        return x >= b if how == ">=" else x <= b
    sign = "≥" if how == ">=" else "≤"
    unit = "" if against == "absolute" else "×"
    verdict = []
    if bound is not None:
        verdict.append("met" if holds(bound) else "**missed**")
    if stretch is not None:
        verdict.append("stretch %s %s%g %s" % (sign, unit, stretch, "met" if holds(stretch) else "missed"))
    wanted = "%s %s%g" % (sign, unit, bound) if bound is not None else "–"
    return "| %s | %s | %s | %s | %s%.2f | %s | %s |" % (
        name, head, "of " + whose if whose else "itself", wanted, unit, x, "; ".join(verdict),
        "%s%.2f" % (unit, least[0]) if least else "–")


def bars(doc):
    o = ["| system | measure | against | wanted | reached | | `bare` reaches |", "|---|---|---|---|--:|---|--:|"]
    for name in of_kind(doc["summary"], "sixtap"):
        o += filter(None, (bar_row(doc, name, b) for b in BARS[bool(doc["args"]["wire"])]))
    return o if len(o) > 2 else []


def other_cc(doc):
    """TCP and loaded RTT under the other congestion controls."""
    o = []
    for cc in doc["args"]["cc"][1:]:
        cols = [(c[1] + "@" + cc, c[2], c[3], c[4]) for c in SHORT if c[1] in CC_METRICS]
        cols = [c for c in cols if any(median(doc["summary"], n, c[0]) is not None for n in doc["order"])]
        if not cols:
            continue
        o += ["With %s:" % cc, "", "| system | " + " | ".join(c[1] for c in cols) + " |",
              "|---" + "|--:" * len(cols) + "|"]
        for n in doc["order"]:
            got = [median(doc["summary"], n, c[0]) for c in cols]
            if any(x is not None for x in got):
                o.append("| %s | %s |" % (n, " | ".join("–" if x is None else number(x / c[2], c[3])
                                                       for x, c in zip(got, cols))))
        o.append("")
    return o


def full_tables(doc):
    s, o = doc["summary"], []
    for g in (METRICS[0:4], METRICS[4:8], METRICS[8:13], METRICS[13:15]):
        o += ["| system | " + " | ".join(h for _, h, _, _ in g) + " |", "|---" * (len(g) + 1) + "|"]
        for name in doc["order"]:
            e = s.get(name)
            if not e or not e["metrics"]:
                continue
            row = []
            for key, _, digits, _ in g:
                v = e["metrics"].get(key)
                if not v:
                    row.append("–")
                    continue
                cell = "%s**%s**" % ("≥" if key in e["at_least"] else "", number(v["median"], digits))
                if v["n"] > 1:
                    cell += " (%s–%s)" % (number(v["min"], digits), number(v["max"], digits))
                if "ratio" in v:
                    cell += " ×%.2f" % v["ratio"]
                row.append(cell)
            o.append("| %s | %s |" % (name, " | ".join(row)))
        o.append("")
    return o


def what_was_run(doc):
    o = ["| system | crypto | what was run | rounds ok | trouble |", "|---|---|---|---|---|"]
    for name in doc["order"]:
        e = doc["summary"].get(name)
        if e:
            trouble = "; ".join(sorted(set(e["failed"] + e["errors"]))).replace("|", "/").replace("\n", " ")
            o.append("| %s | %s | %s | %d | %s |" % (name, e["crypto"], e["note"], e["rounds"], trouble or "–"))
    return o + ["", "Versions: " + "; ".join("%s %s" % kv for kv in doc["versions"].items()) + "."]


def section(doc):
    """What RESULTS.md shows of one run."""
    o = heading(doc) + [""] + short_table(doc) + [""]
    wanted = bars(doc)
    if wanted:
        o += wanted + [""]
    return o + other_cc(doc)


def markdown(doc):
    o = ["# Bench of %s" % doc["when"], ""] + section(doc)
    o += ["## Every figure", "", "A cell is median (min–max), then its ratio to `%s` measured in the same run; ≥: the "
          "sender was the limit." % doc["baseline"], ""]
    return "\n".join(o + full_tables(doc) + what_was_run(doc)) + "\n"


def publish(name, lines, path):
    """Replaces what stands between the two marks of section @name in @path."""
    begin, end = "<!-- bench:%s -->" % name, "<!-- /bench:%s -->" % name
    with open(path) as f:
        text = f.read()
    if begin not in text or end not in text:
        raise SystemExit("%s has no %s ... %s" % (path, begin, end))
    head, rest = text.split(begin, 1)
    with open(path, "w") as f:
        f.write(head + begin + "\n\n" + "\n".join(lines).strip() + "\n\n" + end + rest.split(end, 1)[1])


def merge(docs):
    """One run of several that were made one after another on the same machine with the same builds."""
    doc = dict(docs[0])
    for other in docs[1:]:
        if any(doc[k] != other[k] for k in ("cpu", "cpus", "kernel")) or any(
                doc["args"][k] != other["args"][k] for k in ("wire", "seconds", "udp_seconds", "cc")):
            raise SystemExit("these runs are of different machines or kinds")
        first = max(r["round"] for r in doc["runs"])
        doc["runs"] = doc["runs"] + [dict(r, round=r["round"] + first) for r in other["runs"]]
        doc["order"] = doc["order"] + [n for n in other["order"] if n not in doc["order"]]
        doc["args"] = dict(doc["args"], rounds=doc["args"]["rounds"] + other["args"]["rounds"])
        doc["when"] += " and " + other["when"]
    doc["summary"] = summarize(doc["runs"], doc["many"], doc["baseline"])
    return doc


def main(argv):
    if len(argv) > 3 and argv[1] == "--merge":
        docs = []
        for name in argv[3:]:
            with open(name) as f:
                docs.append(json.load(f))
        text = json.dumps(merge(docs), indent=1)
        with open(argv[2], "w") as f:
            f.write(text)
        return 0
    if len(argv) == 5 and argv[1] == "--publish":
        with open(argv[3]) as f:
            text = f.read()
        if not argv[3].endswith(".json"):
            lines = ["```"] + text.rstrip().split("\n") + ["```"]
        elif argv[2] == "short":
            lines = ["![TCP throughput and CPU of the hub, SixTap and its peers](tests/bench/results.svg)", ""]
            lines += heading(json.loads(text)) + [""] + short_table(json.loads(text))
        else:
            lines = section(json.loads(text)) + what_was_run(json.loads(text))
        publish(argv[2], lines, argv[4])
        return 0
    known = [c[0] for c in SHORT]
    if len(argv) < 2 or argv[1].startswith("-") or any(x not in known for x in argv[2:]):
        print(__doc__)
        return 64
    with open(argv[1]) as f:
        doc = json.load(f)
    print("\n".join(heading(doc) + [""] + short_table(doc, argv[2:])))
    if not argv[2:]:
        print("\n" + "\n".join(bars(doc) + [""] + other_cc(doc)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
