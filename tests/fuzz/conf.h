/* SPDX-License-Identifier: MIT */
/* conf.h - a place for configuration files that leaves nothing on disk */
#ifndef SIXTAP_TESTS_FUZZ_CONF_H
#define SIXTAP_TESTS_FUZZ_CONF_H

#include "fuzz.h"

/* conf_path() - a name for the YAML, in a folder where the file "63" holds a key: descriptor 63, in
 * /proc/self/fd */
const char *conf_path(void);

#endif
