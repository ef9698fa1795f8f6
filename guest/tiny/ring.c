/* ring DEVICE: append numbered records to a ring of sectors, each on the disk before the next is begun.
 *
 * Record n is one 512-byte sector at slot n mod slots, written with O_DIRECT and followed by fdatasync, ten a second:
 *   CUTTLE-RING seq=N boot=UUID wall=MS mono=MS\n, then zeros.
 * It goes on from the highest number that it finds. `ringcheck` reads the ring from outside and tells what is missing,
 * damaged or written by two boots in turn. Failed writes are said on the console and tried again as the same record.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { RECORD = 512, SLOTS = 4096, PERIOD_MS = 100 };

static long long milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void read_boot_id(char *boot, size_t size)
{
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, boot, size - 1);
    boot[length > 0 ? length : 0] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
    if (file >= 0)
        close(file);
}

static long long highest(int device, char *buffer, long slots)
{
    long long last = 0;
    for (long slot = 0; slot < slots; slot++) {
        long long seq;
        if (pread(device, buffer, RECORD, slot * RECORD) != RECORD)
            break;
        buffer[RECORD - 1] = '\0';
        if (sscanf(buffer, "CUTTLE-RING seq=%lld ", &seq) == 1 && seq > last)
            last = seq;
    }
    return last;
}

int main(int count, char **arguments)
{
    unsigned long long bytes = 0;
    char boot[64], *buffer;
    int device = count == 2 ? open(arguments[1], O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
    if (device < 0 || ioctl(device, BLKGETSIZE64, &bytes) != 0 || posix_memalign((void **)&buffer, 4096, 4096) != 0) {
        printf("CUTTLE-GUEST-RING-ERROR open: %s\n", strerror(errno));
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    read_boot_id(boot, sizeof boot);
    long slots = bytes / RECORD < SLOTS ? (long)(bytes / RECORD) : SLOTS;
    long long seq = highest(device, buffer, slots);
    printf("CUTTLE-GUEST-RING from=%lld slots=%ld\n", seq + 1, slots);
    for (long failures = 0;;) {
        long long begun = milliseconds(CLOCK_MONOTONIC);
        memset(buffer, 0, RECORD);
        snprintf(buffer, RECORD, "CUTTLE-RING seq=%lld boot=%s wall=%lld mono=%lld\n", seq + 1, boot,
                 milliseconds(CLOCK_REALTIME), begun);
        if (pwrite(device, buffer, RECORD, ((seq + 1) % slots) * RECORD) == RECORD && fdatasync(device) == 0) {
            seq++;
            failures = 0;
            if (seq % 100 == 0)
                printf("CUTTLE-GUEST-RING seq=%lld\n", seq);
        } else if (failures++ % 10 == 0) {
            printf("CUTTLE-GUEST-RING-ERROR seq=%lld: %s\n", seq + 1, strerror(errno));
        }
        long long took = milliseconds(CLOCK_MONOTONIC) - begun;
        if (took > 1000)
            printf("CUTTLE-GUEST-RING-SLOW seq=%lld ms=%lld\n", seq, took);
        if (took < PERIOD_MS)
            usleep((PERIOD_MS - took) * 1000);
    }
}
