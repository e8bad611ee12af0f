/*
 * flood <points> <metrics a line> <result file>: logs that many points through $TRACK_SOCKET, each line with a step of its own,
 * in writes of 64 KiB, and waits until all is in the store. The lines are made beforehand, so that only the way is measured.
 * Result: {"sentMs":..,"storedMs":..}, both from the first write on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int send_all(int fd, const char *data, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, data, length < 65536 ? length : 65536);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -1;
    data += written;
    length -= (size_t)written;
  }
  return 0;
}

static int flush_store(int fd, int id) {
  char request[64], reply[1024], expected[64];
  size_t length = 0;
  int size = snprintf(request, sizeof request, "{\"flush\":\"store\",\"id\":%d}\n", id);

  if (send_all(fd, request, (size_t)size) != 0) return -1;
  while (length == 0 || reply[length - 1] != '\n') {
    ssize_t got = read(fd, reply + length, sizeof reply - 1 - length);
    if (got <= 0) return -1;
    length += (size_t)got;
  }
  reply[length] = '\0';
  snprintf(expected, sizeof expected, "{\"id\":%d,\"ok\":true}\n", id);
  if (strcmp(reply, expected) == 0) return 0;
  fprintf(stderr, "flood: %s", reply);
  return -1;
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *path = getenv("TRACK_SOCKET");
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  unsigned random = 1;
  long points, keys;
  size_t length = 0;
  char *lines;
  double started, sent, stored;
  FILE *result;

  if (argc < 4 || path == NULL || fd < 0) return 2;
  points = atol(argv[1]);
  keys = atol(argv[2]);
  lines = malloc((size_t)points * 32 + (size_t)(points / keys) * 64 + 4096);
  if (lines == NULL) return 3;
  for (long step = 0; step < points / keys; step++) {
    length += (size_t)sprintf(lines + length, "{\"metrics\":{");
    for (long key = 0; key < keys; key++) {
      random = random * 1664525u + 1013904223u;
      length += (size_t)sprintf(lines + length, "%s\"m%ld\":%.6f", key == 0 ? "" : ",", key, random / 4294967296.0);
    }
    length += (size_t)sprintf(lines + length, "},\"step\":%ld}\n", step);
  }
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return 4;
  /* The start of the recorder is no part of what is measured. */
  if (flush_store(fd, 1) != 0) return 5;
  started = now_ms();
  if (send_all(fd, lines, length) != 0) return 6;
  sent = now_ms();
  if (flush_store(fd, 2) != 0) return 7;
  stored = now_ms();
  result = fopen(argv[3], "w");
  if (result == NULL) return 8;
  fprintf(result, "{\"sentMs\":%.3f,\"storedMs\":%.3f}\n", sent - started, stored - started);
  return fclose(result) == 0 ? 0 : 9;
}
