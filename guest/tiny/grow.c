/* grow DISK PARTITION NUMBER MOUNTPOINT: let the last MBR partition and its mounted ext4 fill the disk.
 *
 * Three steps, each harmless to repeat: the length in the MBR's entry, the kernel's idea of the partition, the file
 * system's block count. Nothing happens while less than a MiB would be won.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

/* linux/ext4.h is no header for programs; the number is part of the kernel's stable interface. */
#define EXT4_RESIZE _IOW('f', 16, uint64_t)

enum { SECTOR = 512, MIB = 1 << 20, TABLE = 446, ENTRY = 16 };

static int fail(const char *what)
{
    printf("CUTTLE-GUEST-GROW-ERROR ");
    fflush(stdout);
    perror(what);
    return 1;
}

int main(int count, char **arguments)
{
    if (count != 5)
        return 2;
    int number = atoi(arguments[3]);
    int disk = open(arguments[1], O_RDWR | O_CLOEXEC), mountpoint = open(arguments[4], O_RDONLY | O_CLOEXEC);
    uint64_t disk_bytes = 0;
    unsigned char *mbr;
    if (disk < 0 || mountpoint < 0 || number < 1 || number > 4 || posix_memalign((void **)&mbr, 4096, 4096) != 0)
        return fail("open");
    if (ioctl(disk, BLKGETSIZE64, &disk_bytes) != 0 || pread(disk, mbr, SECTOR, 0) != SECTOR)
        return fail("read the disk");

    unsigned char *entry = mbr + TABLE + ENTRY * (number - 1);
    uint32_t start, sectors;
    memcpy(&start, entry + 8, 4);
    memcpy(&sectors, entry + 12, 4);
    uint64_t wanted = (disk_bytes / SECTOR - start) / (MIB / SECTOR) * (MIB / SECTOR);
    if (wanted > UINT32_MAX)
        wanted = UINT32_MAX / (MIB / SECTOR) * (MIB / SECTOR);
    if (wanted > sectors) {
        uint32_t length = (uint32_t)wanted;
        memcpy(entry + 12, &length, 4);
        if (pwrite(disk, mbr, SECTOR, 0) != SECTOR || fsync(disk) != 0)
            return fail("write the partition table");
        sectors = length;
    }
    struct blkpg_partition partition = {.start = (long long)start * SECTOR, .length = (long long)sectors * SECTOR, .pno = number};
    struct blkpg_ioctl_arg resize = {.op = BLKPG_RESIZE_PARTITION, .datalen = sizeof partition, .data = &partition};
    if (ioctl(disk, BLKPG, &resize) != 0)
        return fail("resize the partition");

    struct statfs now;
    if (fstatfs(mountpoint, &now) != 0)
        return fail("look at the file system");
    uint64_t blocks = (uint64_t)sectors * SECTOR / (uint64_t)now.f_bsize;
    uint64_t slack = MIB / (uint64_t)now.f_bsize * 4;
    if (blocks > now.f_blocks + slack && ioctl(mountpoint, EXT4_RESIZE, &blocks) != 0)
        return fail("resize the file system");
    return 0;
}
