/* Stands between the embedded engine and the C library's rename(): the moment at which a part comes into its table, with
 * its deduplication token already written. Loaded into a pipeline with LD_PRELOAD, and with it into the engine's process;
 * for tests only.
 *
 * Only renames out of a directory tmp_insert_... count: what an INSERT does, and neither a merge nor the pipeline itself.
 *
 *   FAULT_POINT_DIR=<directory>        Nothing is counted before it is there.
 *   FAULT_POINT=engine.rename:<n>      At the n-th such rename of a process, before it is done, the file `reached` is made
 *                                      in the directory, with the process's number in it, and the thread waits for `go`.
 *   FAULT_RENAME_FAILS=<n>[:<count>]   The n-th such rename, and count - 1 after it, fail as on a full disk. Counted in
 *                                      the directory's file `renames`, so through all restarts of the engine; and only
 *                                      once there is no file `hold` in the directory.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINT "engine.rename:"

static int file(const char *name, char *path) {
    const char *directory = getenv("FAULT_POINT_DIR");
    return directory && snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

/* Stops here if this is the pass that is asked for. */
static void point(void) {
    static atomic_long passes;
    const char *asked = getenv("FAULT_POINT");
    if (!asked || strncmp(asked, POINT, strlen(POINT)) != 0) return;
    /* A directory that is made later arms the point later. */
    if (access(getenv("FAULT_POINT_DIR") ? getenv("FAULT_POINT_DIR") : "", F_OK) != 0) return;
    if (atomic_fetch_add(&passes, 1) + 1 != atol(asked + strlen(POINT))) return;
    char reached[PATH_MAX], whole[PATH_MAX], go[PATH_MAX];
    if (!file("reached", reached) || !file("reached.new", whole) || !file("go", go)) return;
    FILE *out = fopen(whole, "w");
    if (!out) return;
    fprintf(out, "%d", (int)getpid());
    fclose(out);
    /* Renamed, so that whoever sees it can read all of it; this rename is none of those that count. */
    rename(whole, reached);
    while (access(go, F_OK) != 0) usleep(1000);
}

/* Whether this is one of the renames that are to fail. */
static int fails(void) {
    const char *asked = getenv("FAULT_RENAME_FAILS");
    char renames[PATH_MAX];
    if (!asked || !file("renames", renames)) return 0;
    int out = open(renames, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (out < 0) return 0;
    /* One byte for each: after it is appended, the position is the rename's number. */
    ssize_t written = write(out, ".", 1);
    long number = (long)lseek(out, 0, SEEK_CUR);
    close(out);
    char *colon;
    long first = strtol(asked, &colon, 10);
    long count = *colon == ':' ? atol(colon + 1) : 1;
    if (written != 1 || number < first || number >= first + count) return 0;
    char hold[PATH_MAX];
    while (file("hold", hold) && access(hold, F_OK) == 0) usleep(1000);
    return 1;
}

int rename(const char *from, const char *to) {
    static _Atomic(int (*)(const char *, const char *)) real;
    if (!real) real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    if (strstr(from, "/tmp_insert_")) {
        point();
        if (fails()) {
            errno = ENOSPC;
            return -1;
        }
    }
    return real(from, to);
}
