/*
 * stopwatch <result file> <null | pipe | terminal | inherit | output file> <command> [args...]
 * Runs a command and writes one JSON line: when it was started (CLOCK_MONOTONIC, ns), how long it took, how long until
 * everything that it left behind was gone as well (orphans come to this process), and what each of them cost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static double cpu_ms(const struct rusage *usage) {
  return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e3 + (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e3;
}

static int open_output(const char *name) {
  int ends[2];
  if (strcmp(name, "inherit") == 0) return STDOUT_FILENO;
  if (strcmp(name, "null") == 0 || strcmp(name, "terminal") == 0) return open("/dev/null", O_WRONLY);
  if (strcmp(name, "pipe") != 0) return open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
  /* The end for reading stays open and unread: what is run here says less than a pipe holds. */
  if (pipe(ends) != 0) return -1;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  return ends[1];
}

static pid_t start_on_terminal(char **command) {
  int master;
  pid_t pid = forkpty(&master, NULL, NULL, NULL);
  if (pid != 0) return pid;
  execvp(command[0], command);
  _exit(127);
}

static pid_t start(char **command, int input, int output) {
  pid_t pid = vfork();
  if (pid != 0) return pid;
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  if (output > STDERR_FILENO) close(output);
  if (input > STDERR_FILENO) close(input);
  execvp(command[0], command);
  _exit(127);
}

int main(int argc, char **argv) {
  struct rusage usage;
  long long started, ended = 0;
  int status, outcome = 0, output, input;
  double cpu = 0, others_cpu = 0;
  long rss = 0, others_rss = 0;
  pid_t command, pid;
  FILE *result;

  if (argc < 4) return 2;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  output = open_output(argv[2]);
  input = open("/dev/null", O_RDONLY);
  if (output < 0 || input < 0) return 3;
  started = now();
  command = strcmp(argv[2], "terminal") == 0 ? start_on_terminal(argv + 3) : start(argv + 3, input, output);
  if (command < 0) return 4;
  close(input);
  if (output != STDOUT_FILENO) close(output);
  while ((pid = wait4(-1, &status, 0, &usage)) > 0 || errno == EINTR) {
    if (pid == command) {
      ended = now();
      outcome = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      cpu = cpu_ms(&usage);
      rss = usage.ru_maxrss;
    } else if (pid > 0) {
      others_cpu += cpu_ms(&usage);
      if (usage.ru_maxrss > others_rss) others_rss = usage.ru_maxrss;
    }
  }
  result = fopen(argv[1], "w");
  if (result == NULL) return 5;
  fprintf(result, "{\"startedNs\":%lld,\"wholeMs\":%.3f,\"goneMs\":%.3f,\"exitCode\":%d,", started, (ended - started) / 1e6,
          (now() - started) / 1e6, outcome);
  fprintf(result, "\"cpuMs\":%.3f,\"maxRssKilobytes\":%ld,\"othersCpuMs\":%.3f,\"othersMaxRssKilobytes\":%ld}\n", cpu, rss,
          others_cpu, others_rss);
  return fclose(result) == 0 ? 0 : 6;
}
