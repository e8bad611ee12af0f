/* stamp <file>: writes the time of its first instruction (CLOCK_MONOTONIC, ns). */
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv) {
  struct timespec time;
  FILE *file;

  clock_gettime(CLOCK_MONOTONIC, &time);
  file = argc > 1 ? fopen(argv[1], "w") : NULL;
  if (file == NULL) return 2;
  fprintf(file, "%lld\n", time.tv_sec * 1000000000LL + time.tv_nsec);
  return fclose(file) == 0 ? 0 : 3;
}
