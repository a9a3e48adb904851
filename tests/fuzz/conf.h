/* SPDX-License-Identifier: MIT */
/* conf.h - a place for configuration files that leaves nothing on disk; what every target that
 * reads one begins and ends with */
#ifndef SIXTAP_TESTS_FUZZ_CONF_H
#define SIXTAP_TESTS_FUZZ_CONF_H

#include <stdio.h>

#include "fuzz.h"

/* conf_path() - a name for the YAML, in a folder where the file "63" holds a key: descriptor 63, in
 * /proc/self/fd */
const char *conf_path(void);

struct conf_run {
    uint8_t *exact; /* the input, in memory of its length */
    FILE *err;      /* where the reader says what is wrong */
    char *printed;  /* what it said, after conf_said() */
    size_t n_printed;
};

/* conf_begin() - *run stays where it is until conf_end() */
void conf_begin(struct conf_run *run, const uint8_t *data, size_t len);

/* conf_said() - the reader is done; whether it found problems and whether it said so agree */
void conf_said(struct conf_run *run, bool problems);

void conf_end(struct conf_run *run);

#endif
