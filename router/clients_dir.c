/* SPDX-License-Identifier: MIT */
/* clients_dir.c - the directory that holds more clients, one in each file NAME.yaml */
#include "router/clients_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/host/scalar.h"

void clients_dir_finish(struct router_config *c, const char *path)
{
    char def[CLIENTS_DIR_LEN] = "";

    /* a path that does not fit: the directory cannot be there either, as far as we can tell */
    (void)scalar_path(path, CLIENTS_DIR_DEFAULT, def, sizeof(def));
    if (!c->clients_dir[0])
        memcpy(c->clients_dir, def, sizeof(def));
    c->clients_dir_default = strcmp(c->clients_dir, def) == 0;
}

static bool is_client_file(const char *name)
{
    size_t n = strlen(name), tail = strlen(CLIENTS_DIR_SUFFIX);

    return name[0] != '.' && n > tail && strcmp(name + n - tail, CLIENTS_DIR_SUFFIX) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of @d that matter. Return: 0; -errno, what was taken so far is in @ret */
static int collect(DIR *d, char ***ret, unsigned *ret_n)
{
    unsigned cap = 0;

    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e)
            return -errno;
        if (!is_client_file(e->d_name))
            continue;
        if (*ret_n == cap) {
            cap = cap ? 2 * cap : 64;
            char **more = reallocarray(*ret, cap, sizeof(**ret));
            if (!more)
                return -ENOMEM;
            *ret = more;
        }
        char *name = strdup(e->d_name);
        if (!name)
            return -ENOMEM;
        (*ret)[(*ret_n)++] = name;
    }
}

int clients_dir_list(const char *dir, char ***ret_names, unsigned *ret_n)
{
    char **names = NULL;
    unsigned n = 0;
    DIR *d = opendir(dir);

    if (!d)
        return -errno;
    int err = collect(d, &names, &n);
    closedir(d);
    if (err) {
        clients_dir_free(names, n);
        return err;
    }
    if (n)
        qsort(names, n, sizeof(*names), by_name);
    *ret_names = names;
    *ret_n = n;
    return 0;
}

void clients_dir_free(char **names, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free(names[i]);
    free(names);
}
