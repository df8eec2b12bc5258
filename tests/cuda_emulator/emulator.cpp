// Runs the CUDA source, included unchanged, on a CPU. The threads of a block are fibers, scheduled in a chosen order,
// or, with OS_THREADS, threads of the operating system, for ThreadSanitizer.
//
// A thread that reaches a barrier or a shuffle waits until all threads of its block or warp have reached it. With
// OS_THREADS, shuffles and ballots do not order other memory accesses, as on a GPU: only barriers do.
//
// Build with the kernel's macros, -DVECTOR_ATOMICS=0 or 1, and -DSOURCE='"path of the source"', which is what
// `Kernel.source` returns.

#include <atomic>
#include <cmath>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#ifdef OS_THREADS
#include <thread>
#endif
#include <ucontext.h>
#include <deque>
#include <vector>

struct Rendezvous {  // `members` threads wait for each other here, again and again
  std::atomic<long> arrived{0};
  long members;
};

struct Index {
  unsigned x;
};

struct Warp {
  Rendezvous rendezvous;
  std::atomic<unsigned long long> slots[2][32];
  std::atomic<unsigned> fragments[2][32][6];
};

struct EmulatedBlock {
  Rendezvous rendezvous;
  std::vector<Warp> warps;
  std::vector<double> memory;
  size_t bytes;
  EmulatedBlock(int threads, size_t bytes) : warps(threads / 32), memory(bytes / 8 + 9), bytes(bytes) {
    memset(memory.data(), 0xff, 8 * memory.size());  // NaN: shared memory starts undefined
    rendezvous.members = threads;
    for (auto &warp : warps) warp.rendezvous.members = 32;
  }
  bool in_bounds() const {  // whether the memory after the requested bytes is unchanged
    const unsigned char *behind = (const unsigned char *)memory.data() + bytes;
    for (int i = 0; i < 64; ++i)
      if (behind[i] != 0xff) return false;
    return true;
  }
};

struct Thread {
  Index thread, block;
  EmulatedBlock *home;
  long barriers = 0, exchanges = 0;
  Rendezvous *waits_for = nullptr;
  long goal = 0;
  bool done = false, started = false;
  ucontext_t context;
  jmp_buf place;
  std::vector<char> stack;
};

static thread_local Thread *current;
static int skipped_line;  // line of a barrier to leave out

#ifdef OS_THREADS
static void wait(Rendezvous &rendezvous, long goal, std::memory_order order) {
  while (rendezvous.arrived.load(order) < goal) std::this_thread::yield();
}
#else
static jmp_buf scheduler;
static void wait(Rendezvous &rendezvous, long goal, std::memory_order) {
  if (rendezvous.arrived.load() >= goal) return;
  current->waits_for = &rendezvous;
  current->goal = goal;
  if (!_setjmp(current->place)) _longjmp(scheduler, 1);
}
#endif

static void arrive_and_wait(Rendezvous &rendezvous, long &times, bool orders_memory) {
  ++times;
  rendezvous.arrived.fetch_add(1, orders_memory ? std::memory_order_acq_rel : std::memory_order_relaxed);
  wait(rendezvous, times * rendezvous.members, orders_memory ? std::memory_order_acquire : std::memory_order_relaxed);
}

// ---- what the kernel uses of CUDA ----

#define __device__
#define __global__
#define __launch_bounds__(threads, blocks)
#define __noinline__
#define threadIdx (current->thread)
#define blockIdx (current->block)
#define SHARED_MEMORY(name) double *name = current->home->memory.data()
#define __syncthreads()                                                                                                \
  (__LINE__ == skipped_line ? (void)0 : arrive_and_wait(current->home->rendezvous, current->barriers, true))

struct alignas(8) float2 {
  float x, y;
};

struct float4 {
  float x, y, z, w;
};

static Warp &own_warp() { return current->home->warps[current->thread.x / 32]; }

template <typename T> static T exchange(T value, int from) {
  Warp &warp = own_warp();
  unsigned long long raw = 0;
  memcpy(&raw, &value, sizeof value);
  auto &slots = warp.slots[current->exchanges % 2];
  slots[current->thread.x % 32].store(raw, std::memory_order_relaxed);
  arrive_and_wait(warp.rendezvous, current->exchanges, false);
  raw = slots[from].load(std::memory_order_relaxed);
  memcpy(&value, &raw, sizeof value);
  return value;
}

template <typename T> static T __shfl_sync(unsigned, T value, int lane) { return exchange(value, lane % 32); }

template <typename T> static T __shfl_xor_sync(unsigned, T value, int lanes) {
  return exchange(value, current->thread.x % 32 ^ lanes);
}

static unsigned __ballot_sync(unsigned, bool vote) {
  Warp &warp = own_warp();
  auto &slots = warp.slots[current->exchanges % 2];
  slots[current->thread.x % 32].store(vote, std::memory_order_relaxed);
  arrive_and_wait(warp.rendezvous, current->exchanges, false);
  unsigned votes = 0;
  for (int i = 0; i < 32; ++i) votes |= (unsigned)slots[i].load(std::memory_order_relaxed) << i;
  return votes;
}

static unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// Round to tf32: to nearest, ties away from zero. The lower 13 bits are not cleared, as on some GPUs.
static unsigned to_tf32(float x) {
  unsigned bits = __float_as_uint(x);
  return std::isfinite(x) ? bits + 0x1000 : bits;
}

// c += A B for fragments of A (16, 8), B (8, 8) and C (16, 8) in the layout of PTX's mma.m16n8k8 with tf32:
// A: row lane / 4 (a0, a2) or 8 more (a1, a3), column lane % 4 (a0, a1) or 4 more (a2, a3)
// B: row lane % 4 (b0) or 4 more (b1), column lane / 4
// C: row lane / 4 (c0, c1) or 8 more (c2, c3), column 2 * (lane % 4) (c0, c2) or 1 more (c1, c3)
static void mma(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
  Warp &warp = own_warp();
  const unsigned lane = current->thread.x % 32, given[6] = {a0, a1, a2, a3, b0, b1};
  auto &fragments = warp.fragments[current->exchanges % 2];
  for (int i = 0; i < 6; ++i) fragments[lane][i].store(given[i], std::memory_order_relaxed);
  arrive_and_wait(warp.rendezvous, current->exchanges, false);
  auto element = [&](unsigned lane, int i) {
    return (double)__uint_as_float(fragments[lane][i].load(std::memory_order_relaxed) & 0xffffe000u);
  };
  for (int i = 0; i < 4; ++i) {
    int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    double sum = c[i];
    for (int k = 0; k < 8; ++k)
      sum += element(row % 8 * 4 + k % 4, row / 8 + k / 4 * 2) * element(column * 4 + k % 4, 4 + k / 4);
    c[i] = (float)sum;
  }
}

static void __syncwarp() { arrive_and_wait(own_warp().rendezvous, current->exchanges, true); }

static int __popc(unsigned x) { return __builtin_popcount(x); }

template <typename T> static T __ldcg(const T *p) { return *p; }

static float __fdividef(float x, float y) { return x / y; }

#define __logf(x) logf(x)  // a name that the C library has taken

template <typename T> static T atomicAdd(T *p, T x) {
  auto &sum = *(std::atomic<T> *)p;  // std::atomic_ref would need C++20, whose headers take a second to compile
  T before = sum.load(std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(before, before + x, std::memory_order_relaxed)) {}
  return before;
}

static void atomicAdd(float2 *p, float2 v) {
  float *x = (float *)p;
  if ((size_t)x % 8) abort();  // a fault on the hardware
  atomicAdd(x, v.x), atomicAdd(x + 1, v.y);
}

static void atomicAdd(float4 *p, float4 v) {
  float *x = (float *)p;
  if ((size_t)x % 16) abort();  // a fault on the hardware
  atomicAdd(x, v.x), atomicAdd(x + 1, v.y), atomicAdd(x + 2, v.z), atomicAdd(x + 3, v.w);
}

#include SOURCE

// ---- the launch ----

#ifndef OS_THREADS
static void (*start)(void *);
static void *start_with;

static void fiber() {
  start(start_with);
  current->done = true;
  _longjmp(scheduler, 1);
}

static void resume(Thread &thread) {
  current = &thread;
  if (_setjmp(scheduler)) return;
  if (thread.started) _longjmp(thread.place, 1);
  thread.started = true;
  thread.stack.resize(1 << 16);
  getcontext(&thread.context);
  thread.context.uc_stack.ss_sp = thread.stack.data();
  thread.context.uc_stack.ss_size = thread.stack.size();
  makecontext(&thread.context, fiber, 0);
  setcontext(&thread.context);
}

static unsigned random_index(unsigned n) {
  static unsigned long long state = 1;
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned)((state >> 32) * n >> 32);
}

// Run the fibers until all are done; return false on a deadlock.
static bool run(std::vector<Thread> &threads, int order) {
  std::vector<Thread *> schedule;
  for (auto &thread : threads) schedule.insert(order == 1 ? schedule.begin() : schedule.end(), &thread);
  size_t done = 0;
  while (done < threads.size()) {
    for (size_t i = schedule.size(); order > 1 && i > 1; --i) std::swap(schedule[i - 1], schedule[random_index(i)]);
    bool moved = false;
    for (Thread *thread : schedule) {
      if (thread->done || (thread->waits_for && thread->waits_for->arrived.load() < thread->goal)) continue;
      resume(*thread);
      moved = true;
      done += thread->done;
    }
    if (!moved) return false;
  }
  return true;
}
#endif

// Run a kernel on `blocks` blocks, its fibers in the order 0 (forward), 1 (backward) or 2 (shuffled each round).
// Return 0, or 1 for a deadlock, or 2 if a block wrote beyond its shared memory.
extern "C" int launch(int skipgram, int blocks, long shared_bytes, int order, int skip_line, const Arguments *given) {
  skipped_line = skip_line;
#ifdef PATH_GROUP
  auto kernel = [&] { skipgram ? skipgram_hs(*given) : cbow_hs(*given); };
#else
  auto kernel = [&] { skipgram ? skipgram_ns(*given) : cbow_ns(*given); };
#endif
  std::deque<EmulatedBlock> homes;
  std::vector<Thread> threads(blocks * THREADS);
  for (int b = 0; b < blocks; ++b) {
    homes.emplace_back(THREADS, shared_bytes);
    for (int i = 0; i < THREADS; ++i) {
      Thread &thread = threads[b * THREADS + i];
      thread.thread.x = i;
      thread.block.x = b;
      thread.home = &homes.back();
    }
  }
#ifdef OS_THREADS
  std::vector<std::thread> system;
  for (auto &thread : threads) system.emplace_back([&] { current = &thread, kernel(); });
  for (auto &thread : system) thread.join();
  return 0;
#else
  start = [](void *given) { (*(decltype(kernel) *)given)(); };
  start_with = &kernel;
  if (!run(threads, order)) return 1;
  for (auto &home : homes)
    if (!home.in_bounds()) return 2;
  return 0;
#endif
}

extern "C" int threads() { return THREADS; }
extern "C" long arguments_size() { return sizeof(Arguments); }

#ifdef OS_THREADS
// A program for ThreadSanitizer: one block trains a small corpus of few words, so that threads access the same rows.
// Its arguments: 0 for CBOW or 1 for skip-gram, and the line of a barrier to leave out, or 0.
int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const int V = 6, tokens = 96;
  unsigned state = 1;
  auto random = [&] { return state = state * 1664525u + 1013904223u, state >> 8; };
  std::vector<float> W_in(V * DIM), W_out(V * DIM);
  for (auto *W : {&W_in, &W_out})
    for (float &x : *W) x = random() / 16777216.0f - 0.5f;
  std::vector<int> ids(tokens), alias(V), scratch(5 * CHUNK_TOKENS), predictions(2);
  for (int i = 0; i < tokens; ++i) ids[i] = random() % V | (i % 16 == 15 ? 1u << 31 : 0);
  for (int i = 0; i < V; ++i) alias[i] = i;
  std::vector<long long> chunk_start = {64, 0}, chunk_stop = {tokens, 64}, chunk_done = {0, 32};
  std::vector<float> cbow_grad_scale(2 * REACH + 1, 0.3f), max_rates(V, 0.05f);
  std::vector<Bits> keep(V, 1ull << 32), threshold(V, 1ull << 32);
  std::vector<double> losses(2);
  // A tree in which word w is a child of node V - 2 - w, and the paths go through all nodes above.
  std::vector<long long> path_start(1);
  std::vector<int> path;
  std::vector<float> W_nodes(V * DIM);
  for (int word = 0; word < V; ++word) {
    for (int depth = 0; depth <= word && depth < V - 1; ++depth) path.push_back(2 * (V - 2 - depth) + (depth == word));
    path_start.push_back((long long)path.size());
  }
  // With subwords, word w has the row of the word after it, too.
  std::vector<long long> subword_starts;
  std::vector<int> subword_rows;
  for (int word = 0; word <= V; ++word) {
    subword_starts.push_back(2 * word);
    for (int row : {word % V, (word + 1) % V}) subword_rows.push_back(row);
  }
  Bits next_item = 0;
  Arguments arguments = {};
  arguments.W_in = (Real *)W_in.data();
  arguments.W_out = (Real *)W_out.data();
  arguments.max_rate_in = arguments.max_rate_out = (Real *)max_rates.data();
  arguments.words = V;
  arguments.ids = ids.data();
  arguments.chunk_start = chunk_start.data();
  arguments.chunk_stop = chunk_stop.data();
  arguments.chunk_done = chunk_done.data();
  arguments.chunks_per_epoch = arguments.stop_item = 2;
  arguments.keep = keep.data();
  arguments.threshold = threshold.data();
  arguments.alias = alias.data();
  arguments.seed = 1;
  arguments.window = REACH;
  arguments.shrink_windows = 1;
  arguments.pool_sync_interval = 3;
  arguments.pool_tokens = 40;
  arguments.cbow_grad_scale = (Real *)cbow_grad_scale.data();
  arguments.negative = 5;
  arguments.alpha = 0.1;
  arguments.next_item = &next_item;
  arguments.scratch = scratch.data();
  arguments.losses = losses.data();
  arguments.predictions = predictions.data();
  arguments.W_nodes = (Real *)W_nodes.data();
  arguments.tree_max_rate_in = arguments.max_rate_nodes = (Real *)max_rates.data();
  arguments.path_start = path_start.data();
  arguments.path = path.data();
  arguments.subword_starts = subword_starts.data();
  arguments.subword_rows = subword_rows.data();
  return launch(atoi(argv[1]), 1, 1 << 20, 0, atoi(argv[2]), &arguments);
}
#endif
