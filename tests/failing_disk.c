/* Loaded before the C library (LD_PRELOAD): makes one call to the disk fail, as a full or broken
 * one would. BELLOWS_FAILING names the function, BELLOWS_FAILING_AT which of its calls on files
 * that are written, from 1; `write` fails with ENOSPC after it has written half, the others with
 * EIO; writev counts as write. Every call behind that one fails, too. The file that BELLOWS_FAILED
 * names is made as soon as one has failed. Where BELLOWS_KILLING is set the process is killed
 * instead: by `write` after half, by the others before they have done anything. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(const char* name) {
  static atomic_long calls;
  const char* wanted = getenv("BELLOWS_FAILING");
  const char* place = getenv("BELLOWS_FAILING_AT");
  if (wanted == NULL || place == NULL || strcmp(wanted, name) != 0) return 0;
  if (++calls < atol(place)) return 0;
  const char* mark = getenv("BELLOWS_FAILED");
  if (mark != NULL) {
    const int kept_errno = errno;
    const int file = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file >= 0) close(file);
    errno = kept_errno;
  }
  if (getenv("BELLOWS_KILLING") != NULL && strcmp(name, "write") != 0) raise(SIGKILL);
  return 1;
}

/* What a call that wrote half returns, unless nobody is to learn of it. */
static ssize_t after_half(ssize_t written) {
  if (getenv("BELLOWS_KILLING") != NULL) raise(SIGKILL);
  return written;
}

/* Terminals and pipes are not meant. */
static int is_file(int descriptor) {
  struct stat facts;
  return fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
}

static int is_folder(int descriptor) {
  struct stat facts;
  return fstat(descriptor, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static void* next(const char* name) { return dlsym(RTLD_NEXT, name); }

ssize_t write(int descriptor, const void* bytes, size_t count) {
  ssize_t (*const real)(int, const void*, size_t) =
      (ssize_t(*)(int, const void*, size_t))next("write");
  if (is_file(descriptor) && fails("write")) {
    if (count > 1) return after_half(real(descriptor, bytes, count / 2));
    after_half(0);
    errno = ENOSPC;
    return -1;
  }
  return real(descriptor, bytes, count);
}

ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  ssize_t (*const real)(int, const struct iovec*, int) =
      (ssize_t(*)(int, const struct iovec*, int))next("writev");
  if (is_file(descriptor) && fails("write")) {
    if (count > 1) return after_half(real(descriptor, parts, count / 2));
    after_half(0);
    errno = ENOSPC;
    return -1;
  }
  return real(descriptor, parts, count);
}

/* Closes it all the same, as the system does. */
int close(int descriptor) {
  int (*const real)(int) = (int (*)(int))next("close");
  const int mode = fcntl(descriptor, F_GETFL);
  if (mode >= 0 && (mode & O_ACCMODE) != O_RDONLY && is_file(descriptor) && fails("close")) {
    real(descriptor);
    errno = EIO;
    return -1;
  }
  return real(descriptor);
}

int fsync(int descriptor) {
  int (*const real)(int) = (int (*)(int))next("fsync");
  if ((is_file(descriptor) && fails("fsync")) ||
      (is_folder(descriptor) && fails("fsync of a folder"))) {
    errno = EIO;
    return -1;
  }
  return real(descriptor);
}

int fdatasync(int descriptor) {
  int (*const real)(int) = (int (*)(int))next("fdatasync");
  if (is_file(descriptor) && fails("fdatasync")) {
    errno = EIO;
    return -1;
  }
  return real(descriptor);
}

int rename(const char* from, const char* to) {
  int (*const real)(const char*, const char*) = (int (*)(const char*, const char*))next("rename");
  if (fails("rename")) {
    errno = EIO;
    return -1;
  }
  return real(from, to);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  int (*const real)(int, const char*, int, const char*, int) =
      (int (*)(int, const char*, int, const char*, int))next("linkat");
  if (fails("linkat")) {
    errno = EIO;
    return -1;
  }
  return real(from_folder, from, to_folder, to, flags);
}
