/* SPDX-License-Identifier: MIT */
/* prescan.c - what is refused before libyaml builds a tree
 *
 * DOC: libyaml's loader has no limit of its own that suits a configuration file, takes aliases
 * (which is how a few hundred octets become gigabytes) and reports bad octets without a line. So
 * the text is looked at twice before: octet by octet, and event by event, with nothing kept of
 * either pass.
 */
#include <sodium.h>
#include <string.h>

#include "proto/host/yaml_parts.h"

/* One code point of UTF-8, RFC 3629 section 4: no overlong forms, no surrogates, nothing above
 * U+10FFFF. Return: octets used, 0 when malformed */
static size_t utf8_next(const uint8_t *p, size_t len, uint32_t *ret)
{
    static const struct {
        uint8_t mask, lead, more;
        uint32_t min;
    } forms[] = {
        { 0x80, 0x00, 0, 0 },
        { 0xe0, 0xc0, 1, 0x80 },
        { 0xf0, 0xe0, 2, 0x800 },
        { 0xf8, 0xf0, 3, 0x10000 },
    };
    for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
        if ((p[0] & forms[f].mask) != forms[f].lead)
            continue;
        uint32_t cp = p[0] & (uint8_t)~forms[f].mask;
        if (len - 1 < forms[f].more)
            return 0;
        for (size_t i = 1; i <= forms[f].more; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            cp = (cp << 6) | (p[i] & 0x3f);
        }
        if (cp < forms[f].min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
            return 0;
        *ret = cp;
        return forms[f].more + 1u;
    }
    return 0;
}

/* What is wrong with a code point; NULL: nothing. */
static const char *bad_character(uint32_t cp, bool indent, bool cr_alone)
{
    if (cp == 0)
        return "NUL octet; this is not a text file";
    if (cp == 0xfeff)
        return "byte order mark; save the file as UTF-8 without one";
    if (cp == '\t' && indent)
        return "tab used to indent; use spaces";
    if (cr_alone)
        return "carriage return without a line feed";
    if ((cp < 0x20 && cp != '\t' && cp != '\n' && cp != '\r') || (cp >= 0x7f && cp <= 0x9f))
        return "control character";
    /* libyaml takes these for line ends, no editor does */
    if (cp == 0x2028 || cp == 0x2029)
        return "Unicode line separator; end lines with a line feed";
    if (cp == 0xfffe || cp == 0xffff)
        return "character that is none";
    return NULL;
}

/* A wide file (UTF-16, as some editors save) draws one line that says so, not a complaint about its
 * first octet. */
static const char *wide_text(const uint8_t *t, size_t len)
{
    bool wide = len >= 2 && ((t[0] == 0xff && t[1] == 0xfe) || (t[0] == 0xfe && t[1] == 0xff));
    return wide ? "UTF-16 text; save the file as UTF-8" : NULL;
}

bool prescan_octets(struct conf *c, const uint8_t *text, size_t len)
{
    struct conf_mark at = { 1, 1, c->n_files - 1 };
    bool indent = true;
    const char *bad = wide_text(text, len);
    for (size_t i = 0, n; !bad && i < len; i += n) {
        uint32_t cp = 0;
        n = utf8_next(text + i, len - i, &cp);
        if (n == 0) {
            bad = "octets that are not UTF-8";
            break;
        }
        bad = bad_character(cp, indent, cp == '\r' && (i + 1 == len || text[i + 1] != '\n'));
        if (bad)
            break;
        indent = cp == '\n' || (indent && cp == ' ');
        at.column++;
        if (cp == '\n')
            at = (struct conf_mark){ at.line + 1, 1, at.file };
    }
    if (bad)
        conf_problem(c, at, "%s", bad);
    return !bad;
}

void yaml_parser_wipe(yaml_parser_t *p)
{
    if (p->buffer.start)
        sodium_memzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
    if (p->raw_buffer.start)
        sodium_memzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
    yaml_parser_delete(p);
}

void conf_syntax(struct conf *c, const yaml_parser_t *p)
{
    struct conf_mark at = conf_mark_from(c, p->problem_mark);
    const char *what = p->problem ? p->problem : "memory is out";
    if (p->context && p->context_mark.line != p->problem_mark.line)
        conf_problem(c, at, "not YAML: %s (%s that starts on line %zu)", what, p->context,
                     p->context_mark.line + 1);
    else
        conf_problem(c, at, "not YAML: %s%s%s", what, p->context ? ", " : "",
                     p->context ? p->context : "");
}

static bool refuse_anchor(struct conf *c, const yaml_char_t *anchor, const yaml_char_t *tag,
                          yaml_mark_t at)
{
    if (anchor)
        conf_problem(c, conf_mark_from(c, at), "anchor (&); anchors and aliases are not taken");
    if (tag)
        conf_problem(c, conf_mark_from(c, at), "tag (!); tags are not taken");
    return anchor || tag;
}

struct scan {
    unsigned documents, depth, nodes;
    bool refused; /* something that is not taken: keep looking, do not load */
    bool stop;
};

static void scan_bounds(struct conf *c, struct scan *s, yaml_mark_t at)
{
    s->nodes++;
    if (s->nodes > CONF_NODES_MAX)
        conf_problem(c, conf_mark_from(c, at), "too many values; at most %d in a file",
                     CONF_NODES_MAX);
    else if (s->depth > CONF_DEPTH_MAX)
        conf_problem(c, conf_mark_from(c, at), "maps and lists nested too deeply; at most %d",
                     CONF_DEPTH_MAX);
    else
        return;
    s->refused = s->stop = true;
}

static void scan_document(struct conf *c, struct scan *s, const yaml_event_t *e)
{
    bool directive =
        e->data.document_start.version_directive ||
        e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end;
    if (directive)
        conf_problem(c, conf_mark_from(c, e->start_mark),
                     "directive (%%); directives are not taken");
    if (++s->documents > 1) {
        conf_problem(c, conf_mark_from(c, e->start_mark), "second document (---); one per file");
        s->stop = true;
    }
    s->refused |= directive || s->documents > 1;
}

static void scan_event(struct conf *c, struct scan *s, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        scan_document(c, s, e);
        break;
    case YAML_ALIAS_EVENT:
        conf_problem(c, conf_mark_from(c, e->start_mark),
                     "alias (*); anchors and aliases are not taken");
        s->refused = true;
        break;
    case YAML_SCALAR_EVENT:
        s->refused |= refuse_anchor(c, e->data.scalar.anchor, e->data.scalar.tag, e->start_mark);
        scan_bounds(c, s, e->start_mark);
        break;
    case YAML_MAPPING_START_EVENT:
        s->depth++;
        s->refused |= refuse_anchor(c, e->data.mapping_start.anchor, e->data.mapping_start.tag,
                                    e->start_mark);
        scan_bounds(c, s, e->start_mark);
        break;
    case YAML_SEQUENCE_START_EVENT:
        s->depth++;
        s->refused |= refuse_anchor(c, e->data.sequence_start.anchor, e->data.sequence_start.tag,
                                    e->start_mark);
        scan_bounds(c, s, e->start_mark);
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        s->depth--;
        break;
    case YAML_STREAM_END_EVENT:
        s->stop = true;
        break;
    default:
        break;
    }
}

bool prescan_events(struct conf *c, const uint8_t *text, size_t len)
{
    yaml_parser_t p;
    struct scan s = { 0 };
    if (!yaml_parser_initialize(&p)) {
        conf_problem(c, conf_mark_file(c), "memory is out");
        return false;
    }
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, text, len);
    while (!s.stop) {
        yaml_event_t e;
        if (!yaml_parser_parse(&p, &e)) {
            conf_syntax(c, &p);
            s.refused = s.stop = true;
            break;
        }
        scan_event(c, &s, &e);
        if (e.type == YAML_SCALAR_EVENT)
            sodium_memzero(e.data.scalar.value, e.data.scalar.length);
        yaml_event_delete(&e);
    }
    yaml_parser_wipe(&p);
    return !s.refused;
}
