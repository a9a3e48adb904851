/* SPDX-License-Identifier: MIT */
/* main_corpus.c - a fuzz target without libFuzzer: runs the files and folders it is given
 *
 * Each input runs whole, and cut in half, so that what a reader does at an early end is seen too.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

static unsigned n_run;

static void run_file(const char *path)
{
    static uint8_t buf[INPUT_MAX];
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        exit(1);
    }
    size_t len = fread(buf, 1, sizeof(buf), f);
    fclose(f);
    setenv("FUZZ_INPUT", path, 1); /* for who looks at a core */
    for (unsigned cut = 1; cut <= 2; cut++) {
        uint8_t *exact = fuzz_exact(buf, len / cut);
        LLVMFuzzerTestOneInput(exact, len / cut);
        free(exact);
    }
    n_run++;
}

static int is_name(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void run_path(const char *path)
{
    struct stat st;
    struct dirent **e;
    char name[4096];

    if (stat(path, &st) < 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode)) {
        fprintf(stderr, "%s\n", path);
        run_file(path);
        return;
    }
    int n = scandir(path, &e, is_name, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%s/%s", path, e[i]->d_name);
        fprintf(stderr, "%s\n", e[i]->d_name);
        run_file(name);
        free(e[i]);
    }
    free(e);
}

int main(int argc, char **argv)
{
    fuzz_setup();
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%u inputs\n", n_run);
    return n_run ? 0 : 1; /* an empty corpus tests nothing */
}
