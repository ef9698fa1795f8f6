/* The floor of the boot benchmark: what booting costs with nothing but librbd's and libvirt's C API.
 *
 * usage: boot CONF PARENT_POOL PARENT_IMAGE SNAPSHOT POOL SIZE_BYTES LIBVIRT_URI TEMPLATE COUNT
 *
 * TEMPLATE is a file with a domain's XML in which @UUID@ stands for the instance's id. COUNT guests are
 * started at once, each on a thread of its own. For each: clone, open, grow, close, create the domain
 * (running). Connections are made before the clock starts, because a compute service has them already.
 * Prints "MS<tab>clone_ms<tab>create_ms" for each guest, and "ALL<tab>wall_ms" at the end; then
 * destroys and removes what it made.
 */
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <rados/librados.h>
#include <rbd/librbd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_GUESTS = 64, UUID_TEXT = 37 };

struct guest {
    pthread_t thread;
    char uuid[UUID_TEXT];
    char disk[UUID_TEXT + 8];
    virDomainPtr domain;
    double clone_ms, create_ms;
};

static rados_ioctx_t parent_pool, pool;
static virConnectPtr libvirt;
static const char *parent_image, *snapshot, *domain_template;
static uint64_t size_bytes;

static void die(const char *what, int code) {
    fprintf(stderr, "floor: %s failed: %s\n", what, strerror(code < 0 ? -code : code));
    exit(1);
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0) die(path, 5);
    fclose(file);
    return text;
}

static void new_uuid(char out[UUID_TEXT]) {
    FILE *file = fopen("/proc/sys/kernel/random/uuid", "r");
    if (!file || !fgets(out, UUID_TEXT, file)) die("reading a uuid", 5);
    fclose(file);
}

static char *domain_xml(const char *uuid) {
    static const char mark[] = "@UUID@";
    size_t marks = 0;
    for (const char *at = domain_template; (at = strstr(at, mark)); at += sizeof mark - 1) marks++;
    char *xml = malloc(strlen(domain_template) + marks * UUID_TEXT + 1), *to = xml;
    if (!xml) die("malloc", 12);
    for (const char *from = domain_template; *from;) {
        if (!strncmp(from, mark, sizeof mark - 1)) {
            to = stpcpy(to, uuid);
            from += sizeof mark - 1;
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
    return xml;
}

static void *boot(void *argument) {
    struct guest *guest = argument;
    double start = now_ms();
    rbd_image_options_t options;
    rbd_image_options_create(&options);
    rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_FEATURES,
                                 RBD_FEATURE_LAYERING | RBD_FEATURE_EXCLUSIVE_LOCK | RBD_FEATURE_OBJECT_MAP |
                                     RBD_FEATURE_FAST_DIFF | RBD_FEATURE_DEEP_FLATTEN);
    rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_CLONE_FORMAT, 2);
    int code = rbd_clone3(parent_pool, parent_image, snapshot, pool, guest->disk, options);
    if (code < 0) die("rbd_clone3", code);
    rbd_image_options_destroy(options);
    rbd_image_t image;
    if ((code = rbd_open(pool, guest->disk, &image, NULL)) < 0) die("rbd_open", code);
    if ((code = rbd_resize(image, size_bytes)) < 0) die("rbd_resize", code);
    if ((code = rbd_close(image)) < 0) die("rbd_close", code);
    guest->clone_ms = now_ms() - start;

    start = now_ms();
    char *xml = domain_xml(guest->uuid);
    guest->domain = virDomainCreateXML(libvirt, xml, 0);
    if (!guest->domain) die("virDomainCreateXML", 5);
    guest->create_ms = now_ms() - start;
    free(xml);
    return NULL;
}

static void clean_up(struct guest *guest) {
    virDomainDestroy(guest->domain);
    virDomainFree(guest->domain);
    int code = -1;
    /* QEMU's watch goes a moment after its process. */
    for (int tries = 0; tries < 400 && (code = rbd_remove(pool, guest->disk)) < 0; tries++) usleep(100000);
    if (code < 0) die("rbd_remove", code);
}

int main(int argc, char **argv) {
    if (argc != 10) {
        fprintf(stderr, "usage: boot CONF PARENT_POOL PARENT_IMAGE SNAPSHOT POOL SIZE_BYTES LIBVIRT_URI TEMPLATE COUNT\n");
        return 2;
    }
    parent_image = argv[3];
    snapshot = argv[4];
    size_bytes = strtoull(argv[6], NULL, 10);
    domain_template = read_file(argv[8]);
    int count = atoi(argv[9]), code;
    if (count < 1 || count > MAX_GUESTS) die("COUNT", 22);

    rados_t cluster;
    if ((code = rados_create(&cluster, "admin")) < 0) die("rados_create", code);
    if ((code = rados_conf_read_file(cluster, argv[1])) < 0) die("rados_conf_read_file", code);
    if ((code = rados_connect(cluster)) < 0) die("rados_connect", code);
    if ((code = rados_ioctx_create(cluster, argv[2], &parent_pool)) < 0) die(argv[2], code);
    if ((code = rados_ioctx_create(cluster, argv[5], &pool)) < 0) die(argv[5], code);
    if (!(libvirt = virConnectOpen(argv[7]))) die("virConnectOpen", 5);

    static struct guest guests[MAX_GUESTS];
    for (int i = 0; i < count; i++) {
        new_uuid(guests[i].uuid);
        snprintf(guests[i].disk, sizeof guests[i].disk, "%s_disk", guests[i].uuid);
    }
    double start = now_ms();
    for (int i = 0; i < count; i++)
        if ((code = pthread_create(&guests[i].thread, NULL, boot, &guests[i]))) die("pthread_create", code);
    for (int i = 0; i < count; i++) pthread_join(guests[i].thread, NULL);
    double wall = now_ms() - start;
    for (int i = 0; i < count; i++)
        printf("%.1f\t%.1f\t%.1f\n", guests[i].clone_ms + guests[i].create_ms, guests[i].clone_ms, guests[i].create_ms);
    printf("ALL\t%.1f\n", wall);
    for (int i = 0; i < count; i++) clean_up(&guests[i]);
    virConnectClose(libvirt);
    rados_ioctx_destroy(pool);
    rados_ioctx_destroy(parent_pool);
    rados_shutdown(cluster);
    return 0;
}
