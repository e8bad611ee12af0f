/*
 * Both ends of an output, to measure what lies between them.
 *   emit <bytes>             writes that much in pieces of 64 KiB, 80 characters a line
 *   tick <lines> <us>        writes a line with the time every <us> microseconds
 *   drain <result file>      reads to the end: {"bytes":..,"ms":..} from the first to the last byte
 *   listen <result file>     reads what `tick` wrote: {"lines":..,"p50Ms":..,"p99Ms":..,"maxMs":..} from writing to reading
 *   terminal <result file> <command> [args...]    the same as drain, of a command with a terminal of its own
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[65536];

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int emit(long long bytes) {
  memset(buffer, 'x', sizeof buffer);
  for (size_t at = 79; at < sizeof buffer; at += 80) buffer[at] = '\n';
  while (bytes > 0) {
    ssize_t written = write(STDOUT_FILENO, buffer, bytes < (long long)sizeof buffer ? (size_t)bytes : sizeof buffer);
    if (written < 0 && errno != EINTR) return 3;
    if (written > 0) bytes -= written;
  }
  return 0;
}

static int tick(long lines, long microseconds) {
  long long next = now();
  for (long line = 0; line < lines; line++) {
    struct timespec until;
    next += microseconds * 1000LL;
    until.tv_sec = next / 1000000000LL;
    until.tv_nsec = next % 1000000000LL;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    if (dprintf(STDOUT_FILENO, "%lld\n", now()) < 0) return 3;
  }
  return 0;
}

static int drain(int fd, const char *path) {
  long long bytes = 0, first = 0, last = 0;
  FILE *result;
  for (;;) {
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    /* A terminal whose last writer is gone answers EIO. */
    if (got <= 0) break;
    last = now();
    if (bytes == 0) first = last;
    bytes += got;
  }
  result = fopen(path, "w");
  if (result == NULL) return 4;
  fprintf(result, "{\"bytes\":%lld,\"ms\":%.3f}\n", bytes, (last - first) / 1e6);
  return fclose(result) == 0 ? 0 : 5;
}

static int compare(const void *left, const void *right) {
  double difference = *(const double *)left - *(const double *)right;
  return difference < 0 ? -1 : difference > 0;
}

static int listen_to(const char *path) {
  static double delays[1000000];
  size_t count = 0, kept = 0;
  FILE *result;
  for (;;) {
    ssize_t got = read(STDIN_FILENO, buffer + kept, sizeof buffer - 1 - kept);
    long long seen = now();
    char *line = buffer, *end;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    buffer[kept + (size_t)got] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
      if (count < sizeof delays / sizeof *delays) delays[count++] = (seen - atoll(line)) / 1e6;
      line = end + 1;
    }
    kept = strlen(line);
    memmove(buffer, line, kept);
  }
  if (count == 0) return 4;
  qsort(delays, count, sizeof *delays, compare);
  result = fopen(path, "w");
  if (result == NULL) return 5;
  fprintf(result, "{\"lines\":%zu,\"p50Ms\":%.4f,\"p99Ms\":%.4f,\"maxMs\":%.4f}\n", count, delays[count / 2],
          delays[count * 99 / 100], delays[count - 1]);
  return fclose(result) == 0 ? 0 : 6;
}

static int terminal(const char *path, char **command) {
  int master, status, code;
  pid_t pid = forkpty(&master, NULL, NULL, NULL);
  if (pid == 0) {
    execvp(command[0], command);
    _exit(127);
  }
  if (pid < 0) return 3;
  code = drain(master, path);
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 7;
  return code != 0 ? code : WEXITSTATUS(status);
}

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[1] : "";
  if (strcmp(what, "emit") == 0) return emit(atoll(argv[2]));
  if (strcmp(what, "tick") == 0 && argc > 3) return tick(atol(argv[2]), atol(argv[3]));
  if (strcmp(what, "drain") == 0) return drain(STDIN_FILENO, argv[2]);
  if (strcmp(what, "listen") == 0) return listen_to(argv[2]);
  if (strcmp(what, "terminal") == 0 && argc > 3) return terminal(argv[2], argv + 3);
  return 2;
}
