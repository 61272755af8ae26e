/* libnvidia-ml.so.1 for machines without a GPU: the calls that joulegrid makes, on simulated GPUs.
 *
 * Every GPU draws a square wave between two powers, so that its energy between any two moments is
 * known in closed form. It misbehaves as the real library is known to: the sample buffer holds 2.4 s
 * and answers "not found" when there is nothing new, its size question answers the whole size, the
 * energy counter moves every 100 ms and its call takes milliseconds, one reading lags by a second.
 *
 * Without FAKE_NVML there is no driver, unless it was built for a world: what takes nothing of its
 * environment finds that one. The file it names holds lines `key value`, read again whenever it changes:
 *   gpus 2          boards                        t0_us T         when the counters stood at 0
 *   idle_w 100      lower power                   busy_w 500      upper power, 10 W more each board
 *   cycle_ms 1000   length of one wave            duty 0.5        its busy share
 *   energy_call_us 3000                           sm_clock 1      0: no buffers but power's
 *   product NAME                                  gpm 1           0: no GPM
 *   capability 90   compute capability, times 10
 *   mig 0                                         reset_us T      the counters start again then
 *   lost I          board I has fallen off        step_us S       the wall clock is S ahead ...
 *   step_at_us T    ... from T on                 odd_samples 1   a stamp of 0 and a double
 *   fail CALL CODE  that call fails; `fail I.CALL CODE` for board I alone
 *   xid I CODE      the driver reports an XID error of board I, once
 *   wild CALL VALUE that call succeeds and answers VALUE, in NVML's own unit; its parts by the names
 *                   that stand in `wild_or`, such as field_186 or clock_1
 *   shared PATH     settings and counters lie in that file, which every process maps: what one sets the
 *                   others see, and it outlives them all, as on a card; without it they are the process's
 *   setters WHO     all: whoever asks may set; root: root alone, as the driver has it; none: nobody
 *   model 1         a limit lowers the clock to the highest 15 MHz step that keeps its power; 0: power alone
 *   kept_mhz F      no board keeps more than F at work, whatever is asked (model 1)
 *   still_w W       what of the power at work does not follow the clock (model 1); without it `idle_w`
 *   least_w 200     the least limit that may be set              most_w 700    the highest, and the default
 *   top_mhz 1980    the highest clock of its SMs                 top_memory_mhz 3201  of its memory
 *   rests 1         between two waves its clock falls to the least; 0: it keeps it, as within milliseconds boards do
 *   heeds 1         0: limits and locks are taken, told and read back, and never acted on
 *   delay_ms 20     a setting acts so much later; what is asked for is told at once, what is in force when it is
 *   application WHO application clocks: none (the default, as drivers of r580 on): not supported; open: whoever
 *                   asks may set them; root: whoever may set anything else
 *   profiles OFFERED ASKED ENFORCED  workload power profiles, masks of 32 bits; without it the driver has none
 *   first_board N   UUIDs and serials count from N on: boards of another node are other boards
 *   uuid GPU        what UUIDs begin with: SIM of boards that say that they are simulated
 *   persistence is `wild persistence 0|1`, a board's minor number is its index or `wild minor N`
 *
 * Every call is counted by its name in this file, over all boards: see fake_count.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NO_PERMISSION 4
#define NOT_FOUND 6
#define FUNCTION_NOT_FOUND 13
/* What a driver of r580 answers to a structure that was handed on by value. */
#define VERSION_MISMATCH 25
#define INSUFFICIENT_SIZE 7
#define DRIVER_NOT_LOADED 9
#define TIMEOUT 10
#define GPU_IS_LOST 15
#define UNKNOWN_ERROR 999

#define MOST_GPUS 16
#define MOST_FAILS 64
#define MOST_CALLS 64
#define PERIOD_US 20000
#define BUFFER 120
#define UPDATE_US 100000
#define LEAST_CLOCK 345
#define CLOCK_STEP 15
#define SLOW_MEMORY_CLOCK 1593
/* Of the limit, what a board that it holds draws over a second of decode: 0.9945 +- 0.0040 (31 seconds on
 * H200 in tests/recorded that drew 98 % or more of it; 0.9986 +- 0.0056 in 8 on H100). How power falls with
 * the clock they do not tell: it stays at the limit while clocks move from 1290 to 1980 MHz. That what is
 * beyond `still_w` is proportional to the clock is taken from arXiv 2605.11999 and from table III of arXiv
 * 2310.03003, with `still_w` and the speed: tests/benchmarks/clock_model.py has the fits and what they leave.
 * At rest, as `idle_w` may say: 120.5 +- 2.5 W (31 runs on H200), 141.9 +- 2.4 W (4 on H100). */
#define HELD_SHARE 0.9945
/* Assumed: one reading of the driver's own power buffer, the least that a record can show. arXiv 2502.20075
 * measures how long clocks take to switch, differing by board and by the clock that is gone to. */
#define SETTING_MS 20

typedef struct {
    int index;
    double limit_w, before_limit_w, clock, before_clock;
    int64_t changed_us;
    double counted_j;
    int64_t counted_us;
    int xid_told;
    double memory_clock, application_clock, application_memory;
} Gpu;

typedef struct {
    char call[64];
    int gpu, code;
} Fail;

typedef struct {
    char call[64];
    double value;
} Wild;

static struct {
    int first_board;
    int gpus, gpm, mig, capability, lost, more_buffers, odd_samples, xid_gpu, xid;
    double idle_w, busy_w, duty;
    int model, rests, heeds;
    double top_mhz, top_memory_mhz, kept_mhz, still_w, least_w, most_w;
    int64_t t0_us, cycle_us, energy_call_us, reset_us, step_us, step_at_us, delay_us;
    unsigned profiles[3];
    int has_profiles;
    char product[64], uuid[8], setters[16], application[16], shared[192];
    Fail fails[MOST_FAILS];
    int fail_count;
    Wild wilds[MOST_FAILS];
    int wild_count;
} world;

static Gpu own[MOST_GPUS];
static Gpu *gpus = own;
static int registered[MOST_GPUS];
static int64_t read_at_us, read_mtime_ns;
static int ready;

static int64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const char *world_path(void) {
    const char *path = getenv("FAKE_NVML");
#ifdef FAKE_NVML_WORLD
    if (path == NULL) path = FAKE_NVML_WORLD;
#endif
    return path;
}

static void read_world(void) {
    const char *path = world_path();
    struct stat about;
    int64_t now_us = clock_us();
    if (ready && now_us - read_at_us < 10000) return;
    read_at_us = now_us;
    if (path == NULL || stat(path, &about) != 0) return;
    int64_t mtime_ns = (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec;
    if (ready && mtime_ns == read_mtime_ns) return;
    read_mtime_ns = mtime_ns;
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    world.first_board = 0;
    world.gpus = 1;
    world.gpm = 1;
    world.mig = 0;
    world.capability = 90;
    world.lost = -1;
    world.more_buffers = 1;
    world.odd_samples = 0;
    world.xid_gpu = -1;
    world.idle_w = 100;
    world.busy_w = 500;
    world.duty = 0.5;
    world.t0_us = 0;
    world.cycle_us = 1000000;
    world.energy_call_us = 3000;
    world.reset_us = 0;
    world.step_us = 0;
    world.step_at_us = 0;
    world.model = 0;
    world.top_mhz = 1980;
    world.top_memory_mhz = 3201;
    world.rests = 1;
    world.heeds = 1;
    world.kept_mhz = 1e9;
    world.still_w = -1;
    world.least_w = 200;
    world.most_w = 700;
    world.delay_us = SETTING_MS * 1000;
    world.fail_count = 0;
    world.wild_count = 0;
    strcpy(world.product, "NVIDIA H200");
    strcpy(world.uuid, "GPU");
    strcpy(world.setters, "all");
    strcpy(world.application, "none");
    world.has_profiles = 0;
    world.shared[0] = 0;
    char line[256], key[64], rest[192];
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%63s %191[^\n]", key, rest) != 2) continue;
        double number = atof(rest);
        int64_t whole = atoll(rest);
        if (!strcmp(key, "first_board")) world.first_board = (int)whole;
        else if (!strcmp(key, "gpus")) world.gpus = (int)whole;
        else if (!strcmp(key, "gpm")) world.gpm = (int)whole;
        else if (!strcmp(key, "capability")) world.capability = (int)whole;
        else if (!strcmp(key, "mig")) world.mig = (int)whole;
        else if (!strcmp(key, "model")) world.model = (int)whole;
        else if (!strcmp(key, "top_mhz")) world.top_mhz = number;
        else if (!strcmp(key, "top_memory_mhz")) world.top_memory_mhz = number;
        else if (!strcmp(key, "heeds")) world.heeds = (int)whole;
        else if (!strcmp(key, "rests")) world.rests = (int)whole;
        else if (!strcmp(key, "kept_mhz")) world.kept_mhz = number;
        else if (!strcmp(key, "still_w")) world.still_w = number;
        else if (!strcmp(key, "least_w")) world.least_w = number;
        else if (!strcmp(key, "most_w")) world.most_w = number;
        else if (!strcmp(key, "delay_ms")) world.delay_us = whole * 1000;
        else if (!strcmp(key, "lost")) world.lost = (int)whole;
        else if (!strcmp(key, "sm_clock")) world.more_buffers = (int)whole;
        else if (!strcmp(key, "odd_samples")) world.odd_samples = (int)whole;
        else if (!strcmp(key, "idle_w")) world.idle_w = number;
        else if (!strcmp(key, "busy_w")) world.busy_w = number;
        else if (!strcmp(key, "duty")) world.duty = number;
        else if (!strcmp(key, "t0_us")) world.t0_us = whole;
        else if (!strcmp(key, "cycle_ms")) world.cycle_us = whole * 1000;
        else if (!strcmp(key, "energy_call_us")) world.energy_call_us = whole;
        else if (!strcmp(key, "reset_us")) world.reset_us = whole;
        else if (!strcmp(key, "step_us")) world.step_us = whole;
        else if (!strcmp(key, "step_at_us")) world.step_at_us = whole;
        else if (!strcmp(key, "product")) snprintf(world.product, sizeof world.product, "%.63s", rest);
        else if (!strcmp(key, "uuid")) snprintf(world.uuid, sizeof world.uuid, "%.7s", rest);
        else if (!strcmp(key, "setters")) snprintf(world.setters, sizeof world.setters, "%.15s", rest);
        else if (!strcmp(key, "application"))
            snprintf(world.application, sizeof world.application, "%.15s", rest);
        else if (!strcmp(key, "profiles"))
            world.has_profiles = 3 == sscanf(rest, "%u %u %u", &world.profiles[0], &world.profiles[1],
                                             &world.profiles[2]);
        else if (!strcmp(key, "shared")) snprintf(world.shared, sizeof world.shared, "%s", rest);
        else if (!strcmp(key, "xid")) sscanf(rest, "%d %d", &world.xid_gpu, &world.xid);
        else if (!strcmp(key, "wild") && world.wild_count < MOST_FAILS) {
            Wild *wild = &world.wilds[world.wild_count];
            if (sscanf(rest, "%63s %lf", wild->call, &wild->value) == 2) world.wild_count++;
        } else if (!strcmp(key, "fail") && world.fail_count < MOST_FAILS) {
            Fail *fail = &world.fails[world.fail_count];
            fail->gpu = -1;
            if (sscanf(rest, "%d.%63s %d", &fail->gpu, fail->call, &fail->code) == 3 ||
                (fail->gpu = -1, sscanf(rest, "%63s %d", fail->call, &fail->code) == 2))
                world.fail_count++;
        }
    }
    fclose(file);
}

static struct {
    char call[64];
    long count;
} counts[MOST_CALLS];

static void count(const char *call) {
    for (int i = 0; i < MOST_CALLS; i++) {
        if (counts[i].call[0] == 0) snprintf(counts[i].call, sizeof counts[i].call, "%s", call);
        if (!strcmp(counts[i].call, call)) {
            counts[i].count++;
            return;
        }
    }
}

/* The place-th call made since fake_forget, and how often; -1 beyond the last. */
long fake_count(int place, char *call, unsigned size) {
    if (place >= MOST_CALLS || counts[place].call[0] == 0) return -1;
    snprintf(call, size, "%s", counts[place].call);
    return counts[place].count;
}
void fake_forget(void) { memset(counts, 0, sizeof counts); }

/* What a call or one of its answers comes to on a board (NULL: on the library). */
static int verdict(const char *call, const Gpu *gpu) {
    read_world();
    if (gpu != NULL && gpu->index == world.lost) return GPU_IS_LOST;
    for (int i = 0; i < world.fail_count; i++) {
        const Fail *fail = &world.fails[i];
        if (!strcmp(fail->call, call) && (fail->gpu < 0 || (gpu && gpu->index == fail->gpu)))
            return fail->code;
    }
    return SUCCESS;
}

/* What a call answers: what it is told to, or what it knows. */
static double wild_or(const char *call, double known) {
    for (int i = 0; i < world.wild_count; i++)
        if (!strcmp(world.wilds[i].call, call)) return world.wilds[i].value;
    return known;
}

#define MAY(call, gpu) \
    do { \
        count(call); \
        int code = verdict(call, gpu); \
        if (code != SUCCESS) return code; \
    } while (0)

static double upper_w(const Gpu *gpu, double clock) {
    double still_w = world.model && world.still_w >= 0 ? world.still_w : world.idle_w;
    return still_w + (world.busy_w + 10 * gpu->index - still_w) * clock / world.top_mhz;
}

/* The clock at work under a limit: what is asked for, rounded down to a step, or less where power is. */
static double work_clock(const Gpu *gpu, double limit_w, double asked) {
    if (!world.heeds) limit_w = 1e9, asked = world.top_mhz;
    if (!world.model) return asked;
    double most = asked < world.kept_mhz ? asked : world.kept_mhz;
    int steps = (int)((most - LEAST_CLOCK) / CLOCK_STEP);
    while (steps > 0 && upper_w(gpu, LEAST_CLOCK + steps * CLOCK_STEP) > HELD_SHARE * limit_w) steps--;
    return LEAST_CLOCK + steps * CLOCK_STEP;
}

/* No board is allowed more than its highest limit, which is what it starts with. */
static double at_most(double limit_w) { return limit_w < world.most_w ? limit_w : world.most_w; }

/* What is in force at a moment: a setting takes its time. */
static double limit_at(const Gpu *gpu, int64_t t_us) {
    return at_most(t_us < gpu->changed_us ? gpu->before_limit_w : gpu->limit_w);
}
static double asked_at(const Gpu *gpu, int64_t t_us) {
    double asked = t_us < gpu->changed_us ? gpu->before_clock : gpu->clock;
    return asked < gpu->application_clock ? asked : gpu->application_clock;
}
static double clock_at(const Gpu *gpu, int64_t t_us) {
    return work_clock(gpu, limit_at(gpu, t_us), asked_at(gpu, t_us));
}
/* A limit holds a clock where the work would draw more at the clock that is asked for. */
static int is_held(const Gpu *gpu, int64_t t_us) {
    double asked = asked_at(gpu, t_us);
    if (world.model) return clock_at(gpu, t_us) < work_clock(gpu, 1e9, asked);
    return upper_w(gpu, asked) > limit_at(gpu, t_us);
}

/* How much longer work takes now than at the highest clock, where `share` of its time there follows the
 * clock and the rest does not. */
double fake_pace(unsigned index, double share) {
    read_world();
    if (index >= MOST_GPUS) return 1;
    return 1 - share + share * world.top_mhz / clock_at(&gpus[index], clock_us());
}

static double busy_us(int64_t t_us) {
    int64_t since_us = t_us - world.t0_us;
    int64_t waves = since_us / world.cycle_us, phase_us = since_us % world.cycle_us;
    double busy_of_wave_us = world.duty * world.cycle_us;
    return waves * busy_of_wave_us + (phase_us < busy_of_wave_us ? phase_us : busy_of_wave_us);
}

static double stretch_j(const Gpu *gpu, double limit_w, double clock, int64_t from_us, int64_t to_us) {
    double busy_s = (busy_us(to_us) - busy_us(from_us)) / 1e6, all_s = (to_us - from_us) / 1e6;
    double low_w = world.idle_w, high_w = upper_w(gpu, work_clock(gpu, limit_w, clock));
    if (world.heeds && low_w > limit_w) low_w = limit_w;
    if (world.heeds && high_w > limit_w) high_w = limit_w;
    return low_w * (all_s - busy_s) + high_w * busy_s;
}

static double energy_j(const Gpu *gpu, int64_t from_us, int64_t to_us) {
    int64_t turn_us = gpu->changed_us;
    if (to_us <= turn_us) return stretch_j(gpu, gpu->before_limit_w, gpu->before_clock, from_us, to_us);
    if (from_us >= turn_us) return stretch_j(gpu, gpu->limit_w, gpu->clock, from_us, to_us);
    return stretch_j(gpu, gpu->before_limit_w, gpu->before_clock, from_us, turn_us) +
           stretch_j(gpu, gpu->limit_w, gpu->clock, turn_us, to_us);
}

static double mean_w(const Gpu *gpu, int64_t window_us, int64_t end_us) {
    return energy_j(gpu, end_us - window_us, end_us) / (window_us / 1e6);
}

static int64_t update_us(int64_t t_us) { return t_us / UPDATE_US * UPDATE_US; }

/* A setting acts after `delay_ms`; what was drawn before has been counted. One that comes while another
 * has not acted yet finds what is in force now. */
static void change(Gpu *gpu, double limit_w, double clock) {
    int64_t now_us = clock_us();
    gpu->counted_j += energy_j(gpu, gpu->counted_us, now_us);
    gpu->counted_us = now_us;
    gpu->before_limit_w = limit_at(gpu, now_us);
    gpu->before_clock = asked_at(gpu, now_us);
    gpu->limit_w = limit_w;
    gpu->clock = clock;
    gpu->changed_us = now_us + world.delay_us;
}

static Gpu fresh(int index) {
    return (Gpu){.index = index, .limit_w = 700, .before_limit_w = 700, .clock = world.top_mhz,
                 .before_clock = world.top_mhz, .counted_us = world.t0_us,
                 .memory_clock = world.top_memory_mhz, .application_clock = world.top_mhz,
                 .application_memory = world.top_memory_mhz};
}

/* Maps the boards that all processes share; 1 where they are there already, -1 where they cannot be. */
static int share(void) {
    static Gpu *mapped;
    static char mapped_of[sizeof world.shared];
    if (mapped != NULL) munmap(mapped, sizeof own);
    mapped = NULL;
    gpus = own;
    if (world.shared[0] == 0) return 0;
    snprintf(mapped_of, sizeof mapped_of, "%s", world.shared);
    /* Whoever may not write there maps it privately: it can read what others set, and sets nothing. */
    int writes = 1, file = open(mapped_of, O_RDWR | O_CREAT, 0644);
    if (file < 0) writes = 0, file = open(mapped_of, O_RDONLY);
    if (file < 0) return -1;
    struct stat about;
    flock(file, LOCK_EX);
    int there = fstat(file, &about) == 0 && about.st_size == sizeof own;
    if (there || (writes && ftruncate(file, sizeof own) == 0)) {
        int how = writes ? MAP_SHARED : MAP_PRIVATE;
        void *place = mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, how, file, 0);
        if (place != MAP_FAILED) gpus = mapped = place;
    }
    if (mapped != NULL && !there)
        for (int i = 0; i < MOST_GPUS; i++) gpus[i] = fresh(i);
    /* A mapping keeps the file open, and with it the lock. */
    flock(file, LOCK_UN);
    close(file);
    return mapped == NULL ? -1 : there;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    ready = 0;
    if (world_path() == NULL) return DRIVER_NOT_LOADED;
    MAY("init", NULL);
    if (share() < 0) return UNKNOWN_ERROR;
    for (int i = 0; i < MOST_GPUS; i++) {
        if (gpus == own) gpus[i] = fresh(i);
        registered[i] = 0;
    }
    ready = 1;
    return SUCCESS;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "Another Error"; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    MAY("driver_version", NULL);
    snprintf(text, size, "580.00.fake");
    return SUCCESS;
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    MAY("cuda_version", NULL);
    *version = (int)wild_or("cuda_version", 13000);
    return SUCCESS;
}
int nvmlSystemGetNVMLVersion(char *text, unsigned size) {
    snprintf(text, size, "13.580.fake");
    return SUCCESS;
}
int nvmlDeviceGetCount_v2(unsigned *boards) {
    MAY("count", NULL);
    *boards = (unsigned)world.gpus;
    return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu **gpu) {
    MAY("handle", NULL);
    if ((int)index >= world.gpus) return INVALID_ARGUMENT;
    if ((int)index == world.lost) return GPU_IS_LOST;
    *gpu = &gpus[index];
    return SUCCESS;
}

static void name_gpu(const Gpu *gpu, char *text, unsigned size) {
    snprintf(text, size, "%s-%08x-fa4e-4000-8000-%012x", world.uuid, 0xa0000000u + (unsigned)(world.first_board + gpu->index),
             (unsigned)(world.first_board + gpu->index));
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Gpu **gpu) {
    MAY("handle", NULL);
    for (int i = 0; i < world.gpus; i++) {
        char mine[96];
        name_gpu(&gpus[i], mine, sizeof mine);
        if (!strcmp(mine, uuid)) return nvmlDeviceGetHandleByIndex_v2((unsigned)i, gpu);
    }
    return NOT_FOUND;
}
int nvmlDeviceGetUUID(Gpu *gpu, char *text, unsigned size) {
    MAY("uuid", gpu);
    name_gpu(gpu, text, size);
    return SUCCESS;
}
int nvmlDeviceGetIndex(Gpu *gpu, unsigned *index) {
    MAY("index", gpu);
    *index = (unsigned)gpu->index;
    return SUCCESS;
}
int nvmlDeviceGetName(Gpu *gpu, char *text, unsigned size) {
    MAY("name", gpu);
    snprintf(text, size, "%s", world.product);
    return SUCCESS;
}
int nvmlDeviceGetSerial(Gpu *gpu, char *text, unsigned size) {
    MAY("serial", gpu);
    snprintf(text, size, "16540%04d", world.first_board + gpu->index);
    return SUCCESS;
}
int nvmlDeviceGetVbiosVersion(Gpu *gpu, char *text, unsigned size) {
    MAY("vbios", gpu);
    snprintf(text, size, "96.00.fake");
    return SUCCESS;
}

struct pci_info {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
};
int nvmlDeviceGetPciInfo_v3(Gpu *gpu, struct pci_info *info) {
    MAY("pci", gpu);
    memset(info, 0, sizeof *info);
    snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02X:00.0", 0x10 + gpu->index);
    return SUCCESS;
}
int nvmlDeviceGetEccMode(Gpu *gpu, unsigned *current, unsigned *pending) {
    MAY("ecc", gpu);
    *current = *pending = 1;
    return SUCCESS;
}
int nvmlDeviceGetMigMode(Gpu *gpu, unsigned *current, unsigned *pending) {
    MAY("mig", gpu);
    *current = *pending = (unsigned)world.mig;
    return SUCCESS;
}
int nvmlDeviceGetPersistenceMode(Gpu *gpu, unsigned *mode) {
    MAY("persistence", gpu);
    *mode = (unsigned)wild_or("persistence", 1);
    return SUCCESS;
}
/* As many processes compute as it is told to, from number 4000 on; room that is too small is told. */
struct process {
    unsigned pid;
    unsigned long long memory;
    unsigned instance, compute_instance;
};
int nvmlDeviceGetComputeRunningProcesses_v3(Gpu *gpu, unsigned *room, struct process *processes) {
    MAY("processes", gpu);
    unsigned there = (unsigned)wild_or("processes", 0), given = *room;
    *room = there;
    if (there > given) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < there; i++) processes[i] = (struct process){.pid = 4000 + i};
    return SUCCESS;
}
int nvmlDeviceGetCudaComputeCapability(Gpu *gpu, int *major, int *minor) {
    MAY("capability", gpu);
    *major = world.capability / 10;
    *minor = world.capability % 10;
    return SUCCESS;
}
int nvmlDeviceGetPowerUsage(Gpu *gpu, unsigned *power) {
    MAY("power", gpu);
    int64_t window_us = world.capability <= 80 ? 25000 : 1000000;
    *power = (unsigned)wild_or("power", mean_w(gpu, window_us, update_us(clock_us())) * 1000);
    return SUCCESS;
}
int nvmlDeviceGetPowerManagementLimitConstraints(Gpu *gpu, unsigned *least, unsigned *most) {
    MAY("limit_bounds", gpu);
    *least = (unsigned)(world.least_w * 1000);
    *most = (unsigned)wild_or("limit_bounds", world.most_w * 1000);
    return SUCCESS;
}
int nvmlDeviceGetPowerManagementDefaultLimit(Gpu *gpu, unsigned *limit) {
    MAY("limit_default", gpu);
    *limit = (unsigned)wild_or("limit_default", world.most_w * 1000);
    return SUCCESS;
}
int nvmlDeviceGetPowerManagementLimit(Gpu *gpu, unsigned *limit) {
    MAY("limit_requested", gpu);
    *limit = (unsigned)wild_or("limit_requested", at_most(gpu->limit_w) * 1000);
    return SUCCESS;
}
int nvmlDeviceGetEnforcedPowerLimit(Gpu *gpu, unsigned *limit) {
    MAY("limit", gpu);
    *limit = (unsigned)wild_or("limit", limit_at(gpu, clock_us()) * 1000);
    return SUCCESS;
}

/* Whether this process may set anything: the driver asks for root. */
static int may_set(void) {
    return !strcmp(world.setters, "all") || (!strcmp(world.setters, "root") && geteuid() == 0);
}
#define MAY_SET(call, gpu) \
    do { \
        MAY(call, gpu); \
        if (!may_set()) return NO_PERMISSION; \
    } while (0)

int nvmlDeviceSetPowerManagementLimit(Gpu *gpu, unsigned limit) {
    MAY_SET("set_limit", gpu);
    if (limit < world.least_w * 1000 || limit > world.most_w * 1000) return INVALID_ARGUMENT;
    change(gpu, limit / 1000.0, gpu->clock);
    return SUCCESS;
}
int nvmlDeviceSetGpuLockedClocks(Gpu *gpu, unsigned least, unsigned most) {
    MAY_SET("set_clock", gpu);
    if (least > most || most < LEAST_CLOCK || most > world.top_mhz) return INVALID_ARGUMENT;
    change(gpu, gpu->limit_w, most);
    return SUCCESS;
}
int nvmlDeviceResetGpuLockedClocks(Gpu *gpu) {
    MAY_SET("set_clock", gpu);
    change(gpu, gpu->limit_w, world.top_mhz);
    return SUCCESS;
}
int nvmlDeviceSetMemoryLockedClocks(Gpu *gpu, unsigned least, unsigned most) {
    MAY_SET("set_memory_clock", gpu);
    if (least > most || most > world.top_memory_mhz) return INVALID_ARGUMENT;
    gpu->memory_clock = most;
    return SUCCESS;
}
int nvmlDeviceResetMemoryLockedClocks(Gpu *gpu) {
    MAY_SET("set_memory_clock", gpu);
    gpu->memory_clock = world.top_memory_mhz;
    return SUCCESS;
}
/* What may be locked to: two memory clocks, and every 15 MHz for the SMs whatever the memory has. */
int nvmlDeviceGetSupportedMemoryClocks(Gpu *gpu, unsigned *room, unsigned *clocks) {
    MAY("memory_clocks", gpu);
    unsigned given = *room;
    *room = 2;
    if (given < 2) return INSUFFICIENT_SIZE;
    clocks[0] = world.top_memory_mhz;
    clocks[1] = SLOW_MEMORY_CLOCK;
    return SUCCESS;
}
int nvmlDeviceGetSupportedGraphicsClocks(Gpu *gpu, unsigned memory, unsigned *room, unsigned *clocks) {
    (void)memory;
    MAY("clocks", gpu);
    unsigned given = *room, there = (unsigned)((world.top_mhz - LEAST_CLOCK) / CLOCK_STEP) + 1;
    *room = there;
    if (given < there) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < there; i++) clocks[i] = world.top_mhz - i * CLOCK_STEP;
    return SUCCESS;
}
int nvmlDeviceGetMinorNumber(Gpu *gpu, unsigned *minor) {
    MAY("minor", gpu);
    *minor = (unsigned)wild_or("minor", gpu->index);
    return SUCCESS;
}

struct memory {
    unsigned long long total, free, used;
};
int nvmlDeviceGetMemoryInfo(Gpu *gpu, struct memory *memory) {
    MAY("memory", gpu);
    unsigned long long total = (unsigned long long)wild_or("memory_total", 143771ull << 20);
    *memory = (struct memory){total, total - (1000ull << 20), 1000ull << 20};
    return SUCCESS;
}
struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};
int nvmlDeviceGetMemoryInfo_v2(Gpu *gpu, struct memory_v2 *memory) {
    MAY("memory", gpu);
    memory->total = (unsigned long long)wild_or("memory_total", 143771ull << 20);
    memory->reserved = 600ull << 20;
    memory->free = memory->total - (1600ull << 20);
    memory->used = (unsigned long long)wild_or("memory_used", 1000ull << 20);
    return SUCCESS;
}

static int is_busy(int64_t t_us) {
    return (t_us - world.t0_us) % world.cycle_us < (int64_t)(world.duty * world.cycle_us);
}

struct utilization {
    unsigned gpu, memory;
};
int nvmlDeviceGetUtilizationRates(Gpu *gpu, struct utilization *rates) {
    MAY("utilization", gpu);
    int64_t t_us = update_us(clock_us());
    *rates = is_busy(t_us) ? (struct utilization){100, 60} : (struct utilization){0, 0};
    rates->gpu = (unsigned)wild_or("utilization", rates->gpu);
    return SUCCESS;
}
int nvmlDeviceGetClockInfo(Gpu *gpu, unsigned type, unsigned *clock) {
    MAY("clock", gpu);
    double known = type == 1 ? (is_busy(clock_us()) || !world.rests ? clock_at(gpu, clock_us()) : LEAST_CLOCK) : gpu->memory_clock;
    *clock = (unsigned)wild_or(type == 1 ? "clock_1" : "clock_2", known);
    return SUCCESS;
}
int nvmlDeviceGetMaxClockInfo(Gpu *gpu, unsigned type, unsigned *clock) {
    MAY("max_clock", gpu);
    *clock = (unsigned)wild_or("max_clock", type == 1 ? world.top_mhz : world.top_memory_mhz);
    return SUCCESS;
}
int nvmlDeviceGetTemperature(Gpu *gpu, unsigned sensor, unsigned *temperature) {
    MAY("temperature", gpu);
    if (sensor != 0) return INVALID_ARGUMENT;
    *temperature = (unsigned)wild_or("temperature", 40 + gpu->index);
    return SUCCESS;
}
int nvmlDeviceGetCurrentClocksEventReasons(Gpu *gpu, unsigned long long *reasons) {
    MAY("throttle", gpu);
    double known = world.rests && !is_busy(clock_us()) ? 1 : is_held(gpu, clock_us()) ? 4 : 0;
    *reasons = (unsigned long long)wild_or("throttle", known);
    return SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(Gpu *gpu, unsigned long long *energy_mj) {
    MAY("energy", gpu);
    struct timespec pause = {0, world.energy_call_us * 1000};
    nanosleep(&pause, NULL);
    int64_t t_us = update_us(clock_us());
    double all_j = gpu->counted_j + energy_j(gpu, gpu->counted_us, t_us);
    if (world.reset_us && t_us >= world.reset_us) all_j = energy_j(gpu, world.reset_us, t_us);
    *energy_mj = (unsigned long long)wild_or("energy", all_j * 1000);
    return SUCCESS;
}

typedef union {
    double d;
    unsigned u;
    unsigned long long ull;
} Value;

struct field_value {
    uint32_t id, scope;
    int64_t stamp_us, latency_us;
    uint32_t type;
    int code;
    Value value;
};
int nvmlDeviceGetFieldValues(Gpu *gpu, int asked, struct field_value *values) {
    MAY("fields", gpu);
    int64_t now_us = clock_us(), t_us = update_us(now_us);
    for (int i = 0; i < asked; i++) {
        struct field_value *one = &values[i];
        char call[32];
        snprintf(call, sizeof call, "field_%u", one->id);
        one->stamp_us = now_us;
        one->type = 1;
        one->code = verdict(call, gpu);
        if (one->code != SUCCESS) continue;
        if (one->id == 186) one->value.u = (unsigned)(mean_w(gpu, 25000, t_us) * 1000);
        else if (one->id == 185) one->value.u = (unsigned)(mean_w(gpu, 1000000, t_us) * 1000);
        else if (one->id == 82) one->value.u = 50;
        else one->code = NOT_SUPPORTED;
        one->value.u = (unsigned)wild_or(call, one->value.u);
    }
    return SUCCESS;
}

struct sample {
    unsigned long long stamp_us;
    Value value;
};
int nvmlDeviceGetSamples(Gpu *gpu, unsigned type, unsigned long long seen_us, unsigned *value_type,
                         unsigned *places, struct sample *samples) {
    char call[32];
    snprintf(call, sizeof call, "samples_%u", type);
    if (samples == NULL) count("samples_size");
    MAY(call, gpu);
    /* Clocks: as on boards that keep none; utilization: one every 200 ms. */
    int64_t period_us = type == 0 ? PERIOD_US : 200000;
    if (type > 2) return NOT_FOUND;
    if (type != 0 && !world.more_buffers) return NOT_SUPPORTED;
    *value_type = 1;
    int size = type == 0 ? BUFFER : 12;
    if (samples == NULL) {
        *places = (unsigned)size;
        return SUCCESS;
    }
    int64_t now_us = clock_us(), last_us = now_us / period_us * period_us;
    unsigned room = *places, got = 0;
    for (int i = size - 2; i >= 0; i--) {
        int64_t t_us = last_us - i * period_us;
        int64_t stamp_us = t_us + (world.step_us && t_us >= world.step_at_us ? world.step_us : 0);
        if (stamp_us <= (int64_t)seen_us || got >= room) continue;
        samples[got].stamp_us = (unsigned long long)stamp_us;
        double known_mw = mean_w(gpu, PERIOD_US, t_us) * 1000 + 0.5;
        if (type == 0) samples[got].value.u = (unsigned)wild_or("samples_0", known_mw);
        else samples[got].value.u = is_busy(t_us - 1) ? (type == 1 ? 100 : 60) : 0;
        got++;
    }
    if (got == 0) return NOT_FOUND;
    if (world.odd_samples && got >= 2 && type == 0) {
        samples[1] = samples[0];
        samples[got - 1].stamp_us = 0;
    }
    *places = got;
    return SUCCESS;
}

struct gpm_support {
    unsigned version, supported;
};
int nvmlGpmQueryDeviceSupport(Gpu *gpu, struct gpm_support *support) {
    MAY("gpm", gpu);
    support->supported = (unsigned)world.gpm;
    return SUCCESS;
}
int nvmlGpmSampleAlloc(int64_t **sample) {
    *sample = calloc(1, sizeof **sample);
    return SUCCESS;
}
int nvmlGpmSampleFree(int64_t *sample) {
    free(sample);
    return SUCCESS;
}
int nvmlGpmSampleGet(Gpu *gpu, int64_t *sample) {
    MAY("gpm_sample", gpu);
    *sample = clock_us();
    return SUCCESS;
}
struct gpm_metric {
    unsigned id;
    int code;
    double value;
    const char *short_name, *long_name, *unit;
};
struct gpm_metrics {
    unsigned version, count;
    int64_t *first, *second;
    struct gpm_metric metrics[];
};
int nvmlGpmMetricsGet(struct gpm_metrics *asked) {
    MAY("gpm_metrics", NULL);
    double busy = (busy_us(*asked->second) - busy_us(*asked->first)) /
                  (double)(*asked->second - *asked->first);
    for (unsigned i = 0; i < asked->count; i++) {
        struct gpm_metric *one = &asked->metrics[i];
        char call[32];
        snprintf(call, sizeof call, "gpm_%u", one->id);
        one->code = verdict(call, NULL);
        one->value = wild_or(call, one->id < 20 ? 100 * busy : one->id < 60 ? 64 * busy : 1024 * busy);
    }
    return SUCCESS;
}

int nvmlEventSetCreate(int **set) {
    MAY("events", NULL);
    static int only;
    *set = &only;
    return SUCCESS;
}
int nvmlEventSetFree(int *set) { (void)set; return SUCCESS; }
int nvmlDeviceRegisterEvents(Gpu *gpu, unsigned long long types, int *set) {
    (void)types, (void)set;
    MAY("register", gpu);
    registered[gpu->index] = 1;
    return SUCCESS;
}
struct event {
    Gpu *gpu;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};
int nvmlEventSetWait_v2(int *set, struct event *event, unsigned timeout_ms) {
    (void)set, (void)timeout_ms;
    MAY("wait", NULL);
    int i = world.xid_gpu;
    if (i < 0 || !registered[i] || gpus[i].xid_told == world.xid) return TIMEOUT;
    gpus[i].xid_told = world.xid;
    *event = (struct event){&gpus[i], 8, (unsigned long long)world.xid, 0, 0};
    return SUCCESS;
}

/* Application clocks are set as a pair that the board must offer; what a reset brings back is the default and
 * not what stood there. */
static int has_application(void) { return strcmp(world.application, "none") != 0; }
int nvmlDeviceGetAPIRestriction(Gpu *gpu, unsigned api, unsigned *restricted) {
    MAY("restriction", gpu);
    if (api != 0 || !has_application()) return NOT_SUPPORTED;
    *restricted = strcmp(world.application, "open") != 0;
    return SUCCESS;
}
int nvmlDeviceGetApplicationsClock(Gpu *gpu, unsigned type, unsigned *clock) {
    MAY("application_clock", gpu);
    if (!has_application()) return NOT_SUPPORTED;
    double known = type == 2 ? gpu->application_memory : gpu->application_clock;
    *clock = (unsigned)wild_or(type == 2 ? "application_2" : "application_1", known);
    return SUCCESS;
}
int nvmlDeviceGetDefaultApplicationsClock(Gpu *gpu, unsigned type, unsigned *clock) {
    MAY("application_default", gpu);
    if (!has_application()) return NOT_SUPPORTED;
    *clock = type == 2 ? world.top_memory_mhz : world.top_mhz;
    return SUCCESS;
}
static int set_application(Gpu *gpu, double memory, double clock) {
    if (!has_application()) return NOT_SUPPORTED;
    if (strcmp(world.application, "open") && !may_set()) return NO_PERMISSION;
    /* What was drawn before has been counted. */
    change(gpu, gpu->limit_w, gpu->clock);
    gpu->application_memory = memory;
    gpu->application_clock = clock;
    return SUCCESS;
}
int nvmlDeviceSetApplicationsClocks(Gpu *gpu, unsigned memory, unsigned clock) {
    MAY("set_application", gpu);
    if (memory != world.top_memory_mhz && memory != SLOW_MEMORY_CLOCK) return INVALID_ARGUMENT;
    if (clock < LEAST_CLOCK || clock > world.top_mhz || (clock - LEAST_CLOCK) % CLOCK_STEP) return INVALID_ARGUMENT;
    return set_application(gpu, memory, clock);
}
int nvmlDeviceResetApplicationsClocks(Gpu *gpu) {
    MAY("set_application", gpu);
    return set_application(gpu, world.top_memory_mhz, world.top_mhz);
}

/* Workload power profiles, as nvml.h has them: a mask of 256 bits each, of which 32 are told here. */
struct mask {
    unsigned bits[8];
};
struct profiles_info {
    unsigned version;
    struct mask offered;
    struct {
        unsigned version, id, priority;
        struct mask conflicting;
    } profiles[255];
};
int nvmlDeviceWorkloadPowerProfileGetProfilesInfo(Gpu *gpu, struct profiles_info *info) {
    MAY("profiles", gpu);
    if (!world.has_profiles) return FUNCTION_NOT_FOUND;
    if (info->version >> 24 != 1) return VERSION_MISMATCH;
    info->offered.bits[0] = world.profiles[0];
    return SUCCESS;
}
struct profiles_now {
    unsigned version;
    struct mask offered, asked, enforced;
};
int nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(Gpu *gpu, struct profiles_now *now) {
    MAY("profiles", gpu);
    if (!world.has_profiles) return FUNCTION_NOT_FOUND;
    if (now->version >> 24 != 1) return VERSION_MISMATCH;
    now->offered.bits[0] = world.profiles[0];
    now->asked.bits[0] = world.profiles[1];
    now->enforced.bits[0] = world.profiles[2];
    return SUCCESS;
}
