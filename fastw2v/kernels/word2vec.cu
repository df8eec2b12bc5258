// CBOW and skip-gram with negative sampling on CUDA: the schedule of naive.py, drawn and trained in one pass.
//
// One block trains one stretch of the corpus at a time, from left to right, tile by tile; blocks take stretches in
// turn and race for the rows of the two tables. One block alone does what the twin does, to rounding.
//
// Within a block, warp w looks after targets w, w + WARPS, ... of the tile: it reads the rows that enter, sums the
// contexts, adds up the gradients, and writes the rows that leave. Between those, all warps share the pool: each holds
// its own rows of it, scores them against all targets of the tile, and updates them. A warp walks along whole rows,
// each lane with four columns at a time, and reduces 32 scores at once (`Reduce`), one for each lane.
//
// Memory. A row of the table that streams is read from global memory once and written once, by an atomic addition. It
// is held in a ring in shared memory while windows reach it. Its gradient needs no accumulator: a second ring holds
// one row for each target (CBOW: the gradient of its context mean; skip-gram: its hidden vector, and a band of
// coefficients), and a row that leaves gathers from it. The pool lives in shared memory too. With POOL_HELD it stays
// there for `refresh` tiles, with a second copy that notes its changes; without, it is read and written for every tile.
//
// Reads of the tables pass by the first-level cache, which does not see what other blocks write. They go straight to
// shared memory (`fetch`), so that a warp asks for all of its rows before it waits for any: what a tile costs is mostly
// waiting, as one block holds one tile at a time. For the same reason sums over windows go by fours (`GROUP`), whose
// reads do not wait for each other; a row that is not wanted counts zero times.
//
// The host sets by macros: DIM (width of a row, a multiple of 4), WINDOW, TILE, POOL_SIZE, POOL_HELD, WARPS, STRETCH,
// LONGEST_STEP, and DOUBLE for float64. There is no #include: NVRTC needs no headers.

#ifdef DOUBLE
typedef double Real;
#else
typedef float Real;
#endif
typedef unsigned long long Bits;

#ifndef VECTOR  // whether four columns can be added by one atomic operation
#if !defined(DOUBLE) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define VECTOR 1
#else
#define VECTOR 0
#endif
#endif

#ifndef ASYNCHRONOUS  // whether rows can be copied into shared memory while the warp goes on
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define ASYNCHRONOUS 1
#else
#define ASYNCHRONOUS 0
#endif
#endif

#ifndef SHARED_MEMORY
#define SHARED_MEMORY(name) extern __shared__ __align__(16) double name[]
#endif

#define ALL 0xffffffffu
constexpr int THREADS = 32 * WARPS;
constexpr int RING = 2 * WINDOW + TILE;                                           // rows that a tile can reach
constexpr int BAND = 2 * WINDOW + 1;                                              // places around a target
constexpr int SPAN = (DIM + 127) / 128;                                           // steps of a warp along a row
constexpr int SIDE = TILE >= 3 ? 4 : TILE;                                        // targets scored together,
constexpr int TARGETS = (TILE + SIDE - 1) / SIDE * SIDE;                          // and all, with padding
constexpr int SHARE = (POOL_SIZE + WARPS - 1) / WARPS;                            // a warp's rows of the pool,
constexpr int ROWS = SHARE >= 5 ? 8 : SHARE >= 3 ? 4 : SHARE;                     // of which so many are scored together
constexpr int GROUP = SPAN > 2 ? 2 : 4;                                           // rows of a window read together
constexpr int AHEAD = 2 * TILE;                                                   // tokens between asking for a row and reading it
constexpr int ROW_BYTES = DIM * (int)sizeof(Real);

#define PARAMETERS                                                                                                      \
  Real *W_in, Real *W_out, const int *ids, const long long *begins, const long long *ends, const long long *dones,     \
      const Bits *keep, const Bits *threshold, const int *alias, const Real *shares, const Real *limit_in,              \
      const Real *limit_out, int *scratch, Bits *counter, double *losses, int *trained, long long first_token,          \
      long long last_item, long long stretches, long long words, Bits seed, double alpha, double slope,                 \
      double negative, long long pool_tokens, int refresh, int shrink_windows
#define ARGUMENTS                                                                                                       \
  W_in, W_out, ids, begins, ends, dones, keep, threshold, alias, shares, limit_in, limit_out, scratch, counter, losses, \
      trained, first_token, last_item, stretches, words, seed, alpha, slope, negative, pool_tokens, refresh,            \
      shrink_windows

// ---- draws, as in draws.py: the same integers on every device ----

__device__ inline Bits bits(Bits key, Bits position) {
  Bits z = 0x9E3779B97F4A7C15ull * (position + 1) + key;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

__device__ inline Bits below(Bits random, Bits n) { return ((random >> 32) * n) >> 32; }

__device__ inline bool chance(Bits random, Bits threshold) { return (random & 0xffffffffull) < threshold; }

// ---- arithmetic of one type ----

__device__ inline float exponential(float x) { return expf(x); }
__device__ inline double exponential(double x) { return exp(x); }
__device__ inline float logarithm(float x) { return __logf(x); }
__device__ inline double logarithm(double x) { return log(x); }
__device__ inline float divided(float x, float y) { return __fdividef(x, y); }
__device__ inline double divided(double x, double y) { return x / y; }
__device__ inline float square_root(float x) { return sqrtf(x); }
__device__ inline double square_root(double x) { return sqrt(x); }

// Return sigmoid(s), and add weight * log(1 + exp(s)) to the loss. With numbers from 1 to 2 the hardware's fast division
// is off by two units in the last place at most; its logarithm by 4e-7, which the reported loss alone sees.
__device__ inline Real sigmoid(Real s, Real weight, double &loss) {
  Real tail = exponential(s < 0 ? s : -s);
  loss += (double)(weight * ((s > 0 ? s : 0) + logarithm(1 + tail)));
  return divided(s < 0 ? tail : 1, 1 + tail);
}

// ---- a lane's four columns of a row ----

struct alignas(16) Four {
  Real x[4];
};

__device__ inline Four zero() { return Four{{0, 0, 0, 0}}; }

__device__ inline void add(Four &sum, Real factor, const Four &v) {
  for (int i = 0; i < 4; ++i) sum.x[i] += factor * v.x[i];
}

__device__ inline Real dot(const Four &a, const Four &b) {
  return a.x[0] * b.x[0] + a.x[1] * b.x[1] + a.x[2] * b.x[2] + a.x[3] * b.x[3];
}

// The columns are neighbours where the hardware moves and adds four numbers at once. Elsewhere they lie 32 apart, so
// that each of the four operations of a warp covers one piece of memory.
__device__ inline int column(int step, int i, int lane) {
  return VECTOR ? 128 * step + 4 * lane + i : 128 * step + 32 * i + lane;
}

__device__ inline Four load(const Real *row, int step, int lane) {
  Four v = zero();
#if VECTOR
  if (column(step, 0, lane) < DIM) v = *(const Four *)(row + column(step, 0, lane));
#else
  for (int i = 0; i < 4; ++i)
    if (column(step, i, lane) < DIM) v.x[i] = row[column(step, i, lane)];
#endif
  return v;
}

__device__ inline void store(Real *row, int step, int lane, const Four &v) {
#if VECTOR
  if (column(step, 0, lane) < DIM) *(Four *)(row + column(step, 0, lane)) = v;
#else
  for (int i = 0; i < 4; ++i)
    if (column(step, i, lane) < DIM) row[column(step, i, lane)] = v.x[i];
#endif
}

// Begin to copy a row of a table, as the other blocks have left it, into shared memory. It is there for all after
// `await_rows` and a barrier; before compute capability 8.0, after the barrier alone.
__device__ inline void fetch(Real *to, const Real *row, int lane) {
#pragma unroll
  for (int byte = 16 * lane; byte < ROW_BYTES; byte += 512) {
#if ASYNCHRONOUS
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((unsigned)__cvta_generic_to_shared(to) + byte),
                 "l"((const char *)row + byte)
                 : "memory");
#else
    *(float4 *)((char *)to + byte) = __ldcg((const float4 *)((const char *)row + byte));
#endif
  }
}

__device__ inline void await_rows() {
#if ASYNCHRONOUS
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// Add to a row that others may be adding to.
__device__ inline void add_shared(Real *row, int step, int lane, const Four &v) {
  for (int i = 0; i < 4; ++i)
    if (column(step, i, lane) < DIM) atomicAdd(row + column(step, i, lane), v.x[i]);
}

// Add to a row of a table.
__device__ inline void add_to_table(Real *row, int step, int lane, const Four &v) {
#if VECTOR
  if (column(step, 0, lane) < DIM)
    atomicAdd((float4 *)(row + column(step, 0, lane)), float4{v.x[0], v.x[1], v.x[2], v.x[3]});
#else
  add_shared(row, step, lane, v);
#endif
}

// Ask for a row to be brought into the second-level cache.
__device__ inline void prefetch(const Real *row, int lane) {
#ifdef __CUDA_ARCH__
  if (lane * 128 < ROW_BYTES)
    asm volatile("prefetch.global.L2 [%0];" ::"l"((const char *)row + 128 * lane));
#endif
}

// ---- sums over a warp ----

__device__ inline Real sum(Real x) {
  for (int offset = 16; offset; offset /= 2) x += __shfl_xor_sync(ALL, x, offset);
  return x;
}

__device__ inline double sum_double(double x) {
  for (int offset = 16; offset; offset /= 2) x += __shfl_xor_sync(ALL, x, offset);
  return x;
}

// Sum N numbers, a power of two up to 32, over the lanes: the sum of number lane / (32 / N) comes back. The lanes of a
// pair exchange the halves of what they hold, so that 32 sums cost 31 exchanges and not 160.
template <int N, int OFFSET = 16> struct Reduce {
  static __device__ inline Real of(Real *x, int lane) {
    bool upper = lane & OFFSET;
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
      Real mine = upper ? x[i + N / 2] : x[i], other = upper ? x[i] : x[i + N / 2];
      x[i] = mine + __shfl_xor_sync(ALL, other, OFFSET);
    }
    return Reduce<N / 2, OFFSET / 2>::of(x, lane);
  }
};

template <int OFFSET> struct Reduce<1, OFFSET> {
  static __device__ inline Real of(Real *x, int) {
#pragma unroll
    for (int offset = OFFSET; offset; offset /= 2) x[0] += __shfl_xor_sync(ALL, x[0], offset);
    return x[0];
  }
};

// ---- one block ----

template <bool CBOW> struct Block {
  int thread, warp, lane;

  // the tables, and what was kept of the stretch: words, places in it, sentences, bounds of the windows
  Real *stream, *other, *noise;  // whose rows the windows reach; of the targets' own rows; of the pool
  const Real *stream_limit, *other_limit, *noise_limit;  // rates up to which rows take whole steps: see crowd.py
  int *word, *place, *sentence, *low, *high;

  // in shared memory
  Real *held;      // RING rows: the tokens that windows reach
  Real *noted;     // RING rows: CBOW: the targets' gradients; skip-gram: the targets' hidden vectors
  Real *hidden;    // CBOW: TARGETS rows
  Real *parts;     // WARPS + 1 times TARGETS rows: parts of the targets' gradients
  Real *pool;      // POOL_SIZE rows
  Real *change;    // POOL_SIZE rows, with POOL_HELD: what has been added since they were read
  Real *times;     // POOL_SIZE: how often a word was drawn; 0 for its second place
  Real *limit;     // POOL_SIZE: of noise_limit
  Real *pull;      // POOL_SIZE times TARGETS: coefficients of pool rows and targets
  Real *band;      // skip-gram: RING times BAND coefficients of targets and contexts; CBOW: TARGETS of the own rows
  int *pool_word;  // POOL_SIZE
  int *own_word;   // CBOW: TARGETS: the target, or ~target if its row is in the pool
  int *near_word;  // skip-gram: RING: the tokens that windows reach
  int *totals;     // 2 times WARPS

  // the tile
  int first, count;  // targets first .. first + count - 1
  Real rate, share;  // share: draws for which a negative of the pool stands
  double loss;

  __device__ Block(double *memory) {
    thread = threadIdx.x;
    warp = thread / 32;
    lane = thread % 32;
    held = (Real *)memory;
    noted = held + RING * DIM;
    hidden = noted + RING * DIM;
    parts = hidden + (CBOW ? TARGETS * DIM : 0);
    pool = parts + (WARPS + 1) * TARGETS * DIM;
    change = pool + POOL_SIZE * DIM;
    times = change + (POOL_HELD ? POOL_SIZE * DIM : 0);
    limit = times + POOL_SIZE;
    pull = limit + POOL_SIZE;
    band = pull + POOL_SIZE * TARGETS;
    pool_word = (int *)(band + (CBOW ? TARGETS : RING * BAND));
    own_word = near_word = pool_word + POOL_SIZE;
    totals = own_word + (CBOW ? TARGETS : RING);
#pragma unroll 1
    for (Real *x = held + thread; x < (Real *)pool_word; x += THREADS) *x = 0;  // padding must be finite
    __syncthreads();
  }

  __device__ const Real *target_row(int k) const {
    return CBOW ? hidden + k * DIM : noted + (first + k) % RING * DIM;
  }

  // What a step is multiplied by, given the rate up to which it is whole.
  __device__ Real part_of(Real most) const { return most < rate ? divided(most, rate) : Real(1); }

  // Return how many were chosen before this thread, counting from `n`, and count the block's in `n`; in
  // `mark` and `marks` the same of the marked ones.
  __device__ int number(bool chosen, bool marked, int &n, int &marks, int &mark) {
    unsigned chosen_lanes = __ballot_sync(ALL, chosen), marked_lanes = __ballot_sync(ALL, marked);
    if (lane == 0) {
      totals[warp] = __popc(chosen_lanes);
      totals[WARPS + warp] = __popc(marked_lanes);
    }
    __syncthreads();
    unsigned before = (1u << lane) - 1;
    int at = n + __popc(chosen_lanes & before);
    mark = marks + __popc(marked_lanes & before);
    for (int w = 0; w < WARPS; ++w) {
      at += w < warp ? totals[w] : 0;
      mark += w < warp ? totals[WARPS + w] : 0;
      n += totals[w];
      marks += totals[WARPS + w];
    }
    return at;
  }

  // Subsample the tokens from `start` to `stop` and find their windows; return how many are kept.
  __device__ int prepare(const int *ids, long long start, long long stop, const Bits *keep, Bits keep_key,
                         Bits window_key, bool shrink_windows) {
    int kept = 0, sentences = 0;
#pragma unroll 1
    for (long long base = start; base < stop; base += THREADS) {
      long long i = base + thread;
      int id = i < stop ? ids[i] : 0;  // its sign says that a sentence ends
      bool chosen = i < stop && chance(bits(keep_key, i), keep[id & 0x7fffffff]);
      int s, at = number(chosen, id < 0, kept, sentences, s);
      if (chosen) {
        word[at] = id & 0x7fffffff;
        place[at] = (int)(i - start);
        sentence[at] = s;
      }
      __syncthreads();
    }
    int n = 0;  // of those, the ones that are not alone in their sentence; a move goes to the left
#pragma unroll 1
    for (int base = 0; base < kept; base += THREADS) {
      int i = base + thread;
      int s = i < kept ? sentence[i] : -1;
      bool chosen = i < kept && ((i > 0 && sentence[i - 1] == s) || (i + 1 < kept && sentence[i + 1] == s));
      int w = i < kept ? word[i] : 0, p = i < kept ? place[i] : 0;
      int none, at = number(chosen, false, n, sentences, none);
      if (chosen) {
        word[at] = w;
        place[at] = p;
        sentence[at] = s;
      }
      __syncthreads();
    }
#pragma unroll 1
    for (int t = thread; t < n; t += THREADS) {
      int width = shrink_windows ? (int)below(bits(window_key, start + place[t]), WINDOW) + 1 : WINDOW;
      int begin = t, end = t + 1;
      while (begin > 0 && t - begin < width && sentence[begin - 1] == sentence[t]) --begin;
      while (end < n && end - t <= width && sentence[end] == sentence[t]) ++end;
      low[t] = begin;
      high[t] = end;
    }
    __syncthreads();
    return n;
  }

  // Draw the words of a pool. A word drawn twice is one row that counts twice: the second copy would not see the
  // first one's updates.
  __device__ void draw_pool(Bits key, long long number, const Bits *threshold, const int *alias, long long words) {
    Bits row = bits(key, number);
#pragma unroll 1
    for (int p = thread; p < POOL_SIZE; p += THREADS) {
      Bits random = bits(row, p);
      int slot = (int)below(random, words);
      pool_word[p] = chance(random, threshold[slot]) ? slot : alias[slot];
    }
    __syncthreads();
#pragma unroll 1
    for (int p = thread; p < POOL_SIZE; p += THREADS) {
      int equal = 0;
      bool earlier = false;
#pragma unroll 1
      for (int q = 0; q < POOL_SIZE; ++q) {
        equal += pool_word[q] == pool_word[p];
        earlier |= q < p && pool_word[q] == pool_word[p];
      }
      times[p] = earlier ? 0 : equal;
      limit[p] = noise_limit[pool_word[p]];
    }
  }

  // Return how many rows of the pool this warp looks after, from row `warp * SHARE` on.
  __device__ int pool_rows() const {
    if (POOL_SIZE % WARPS == 0) return SHARE;  // known to the compiler
    int rest = POOL_SIZE - warp * SHARE;
    return rest < 0 ? 0 : rest < SHARE ? rest : SHARE;
  }

  // Read this warp's rows of the pool.
  __device__ void read_pool() {
#pragma unroll ROWS
    for (int p = warp * SHARE; p < warp * SHARE + pool_rows(); ++p) {
      fetch(pool + p * DIM, noise + (long long)pool_word[p] * DIM, lane);
      if (POOL_HELD)
        for (int q = 0; q < SPAN; ++q) store(change + p * DIM, q, lane, zero());
    }
  }

  // Write what this warp's rows of the pool have gained, or part of it.
  __device__ void write_pool() {
#pragma unroll 1
    for (int p = warp * SHARE; p < warp * SHARE + pool_rows(); ++p)
      if (times[p] > 0)
        for (int q = 0; q < SPAN; ++q) {
          Four step = zero();
          add(step, part_of(limit[p]), load(change + p * DIM, q, lane));
          add_to_table(noise + (long long)pool_word[p] * DIM, q, lane, step);
        }
  }

  // Return the place of a word in the pool, or -1; a warp asks together.
  __device__ int find(int wanted) const {
#pragma unroll 1
    for (int base = 0; base < POOL_SIZE; base += 32) {
      unsigned found = __ballot_sync(ALL, base + lane < POOL_SIZE && pool_word[base + lane] == wanted);
      if (found) return base + __popc((found & (0 - found)) - 1);
    }
    return -1;
  }

  // Read the rows of the tokens from `begin` to `end` into the ring.
  __device__ void enter(int begin, int end, int n) {
#pragma unroll 1
    for (int i = begin + (warp + WARPS - begin % WARPS) % WARPS; i < end; i += WARPS) {
      if (i + AHEAD < n) prefetch(stream + (long long)word[i + AHEAD] * DIM, lane);
      Real *row = held + i % RING * DIM;
      int hit = POOL_HELD && !CBOW ? find(word[i]) : -1;
      if (hit >= 0)
        for (int q = 0; q < SPAN; ++q) store(row, q, lane, load(pool + hit * DIM, q, lane));
      else
        fetch(row, stream + (long long)word[i] * DIM, lane);
      if (!CBOW && lane == 0) near_word[i % RING] = word[i];
    }
  }

  // Read the targets' own rows: of W_out for CBOW, unless the pool has it, of W_in for skip-gram.
  __device__ void read_targets(int n) {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k, own = word[t];
      if (t + AHEAD < n) prefetch(other + (long long)word[t + AHEAD] * DIM, lane);
      bool in_pool = CBOW && find(own) >= 0;
      if (CBOW && lane == 0) own_word[k] = in_pool ? ~own : own;
      Real *row = CBOW ? parts + (WARPS * TARGETS + k) * DIM : noted + t % RING * DIM;
      if (in_pool)
        for (int q = 0; q < SPAN; ++q) store(row, q, lane, zero());
      else
        fetch(row, other + (long long)own * DIM, lane);
    }
  }

  // CBOW: the mean of the contexts, its score with the target's own row, and that row's part of the gradient.
  __device__ void mean_contexts() {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k, begin = low[t], end = high[t];
      Real part = divided(Real(1), Real(end - begin - 1)), score = 0;
      Real *own = parts + (WARPS * TARGETS + k) * DIM;
      for (int q = 0; q < SPAN; ++q) {
        Four h = zero();
#pragma unroll 1
        for (int base = begin; base < end; base += GROUP)
#pragma unroll
          for (int i = base; i < base + GROUP; ++i)
            add(h, i < end && i != t ? 1 : 0, load(held + i % RING * DIM, q, lane));
        for (int i = 0; i < 4; ++i) h.x[i] *= part;
        store(hidden + k * DIM, q, lane, h);
        score += dot(h, load(own, q, lane));
      }
      score = sum(score);
      double lost = 0;
      Real g = own_word[k] < 0 ? 0 : rate * sigmoid(-score, 1, lost);
      if (lane == 0) {
        band[k] = g;
        loss += lost;
      }
      for (int q = 0; q < SPAN; ++q) {
        Four d = zero();
        add(d, g, load(own, q, lane));
        store(own, q, lane, d);
      }
    }
  }

  // Skip-gram: the scores of the contexts, their coefficients, and their part of the targets' gradients.
  __device__ void score_contexts() {
    constexpr int N = 8;
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k, begin = low[t], end = high[t];
      Real *coefficient = band + t % RING * BAND - t + WINDOW;  // of context i
      for (int base = begin; base < end; base += N) {
        Real scores[N] = {};
#pragma unroll 1
        for (int q = 0; q < SPAN; ++q) {
          Four h = load(target_row(k), q, lane);
#pragma unroll
          for (int j = 0; j < N; ++j) scores[j] += dot(h, load(held + (base + j) % RING * DIM, q, lane));
        }
        Real score = Reduce<N>::of(scores, lane);
        int i = base + lane / (32 / N);
        if (lane % (32 / N) == 0 && i < end) coefficient[i] = i == t ? 0 : rate * sigmoid(-score, 1, loss);
      }
      __syncwarp();
      for (int q = 0; q < SPAN; ++q) {
        Four d = zero();
#pragma unroll 1
        for (int base = begin; base < end; base += GROUP)
#pragma unroll
          for (int i = base; i < base + GROUP; ++i)
            add(d, i < end ? coefficient[i] : 0, load(held + i % RING * DIM, q, lane));
        store(parts + (WARPS * TARGETS + k) * DIM, q, lane, d);
      }
    }
  }

  // The coefficient of target k and row p of the pool.
  __device__ Real pull_of(int k, int p, Real score) {
    int t = first + k, wanted = pool_word[p];
    Real weight = share * times[p];
    if (k >= count || weight == 0) return 0;
    bool itself = CBOW && own_word[k] == ~wanted;  // not noise but the target
    if (itself) {
      weight = 1;
    } else if (!CBOW) {
      int begin = low[t], end = high[t];
      bool positive = false;
#pragma unroll 1
      for (int base = begin; base < end; base += GROUP)
#pragma unroll
        for (int i = base; i < base + GROUP; ++i) positive |= i < end && i != t && near_word[i % RING] == wanted;
      if (positive) return 0;
      weight *= end - begin - 1;
    }
    Real g = rate * weight * sigmoid(itself ? -score : score, weight, loss);
    return itself ? g : -g;
  }

  // Score this warp's rows of the pool against all targets, update them, and note their part of the gradients.
  __device__ void train_pool() {
    const int begin = warp * SHARE, rows = pool_rows();
    constexpr int N = SIDE * ROWS;
    for (int r0 = 0; r0 < SHARE; r0 += ROWS)
      for (int k0 = 0; k0 < TARGETS; k0 += SIDE) {
        Real scores[N] = {};
#pragma unroll 1
        for (int q = 0; q < SPAN; ++q) {
          Four h[SIDE];
#pragma unroll
          for (int k = 0; k < SIDE; ++k) h[k] = load(target_row(k0 + k), q, lane);
#pragma unroll
          for (int r = 0; r < ROWS; ++r)
            if (r0 + r < rows) {
              Four v = load(pool + (begin + r0 + r) * DIM, q, lane);
#pragma unroll
              for (int k = 0; k < SIDE; ++k) scores[r * SIDE + k] += dot(v, h[k]);
            }
        }
        Real score = Reduce<N>::of(scores, lane);
        int pair = lane / (32 / N), r = r0 + pair / SIDE, k = k0 + pair % SIDE;
        if (lane % (32 / N) == 0 && r < rows) pull[(begin + r) * TARGETS + k] = pull_of(k, begin + r, score);
      }
    __syncwarp();
#pragma unroll 1
    for (int q = 0; q < SPAN; ++q) {
      Four h[TARGETS], d[TARGETS];
#pragma unroll
      for (int k = 0; k < TARGETS; ++k) {
        h[k] = load(target_row(k), q, lane);
        d[k] = zero();
      }
      for (int r0 = 0; r0 < SHARE; r0 += ROWS)
#pragma unroll
        for (int r = r0; r < r0 + ROWS; ++r)
          if (r < rows) {
            const int p = begin + r;
            Four v = load(pool + p * DIM, q, lane), step = zero();
            const Real part = POOL_HELD ? Real(1) : part_of(limit[p]);
#pragma unroll
            for (int k = 0; k < TARGETS; ++k) {
              Real g = pull[p * TARGETS + k];
              add(d[k], g, v);
              add(step, part * g, h[k]);
            }
            if (POOL_HELD) {
              add(v, 1, step);
              store(pool + p * DIM, q, lane, v);
              Four gained = load(change + p * DIM, q, lane);
              add(gained, 1, step);
              store(change + p * DIM, q, lane, gained);
            } else {  // of a word's second place, nothing; asking would keep the rows from overlapping
              add_to_table(noise + (long long)pool_word[p] * DIM, q, lane, step);
            }
          }
#pragma unroll
      for (int k = 0; k < TARGETS; ++k) store(parts + (warp * TARGETS + k) * DIM, q, lane, d[k]);
    }
  }

  // The gradient of target k's hidden vector, times the rate.
  __device__ Four gradient(int k, int q) const {
    Four d = zero();
    for (int w = 0; w <= WARPS; ++w) add(d, 1, load(parts + (w * TARGETS + k) * DIM, q, lane));
    return d;
  }

  // The factor that shortens a step with this sum of squares in the lanes to at most LONGEST_STEP.
  __device__ Real shortening(Real square) const {
    square = sum(square);
    return square > Real(LONGEST_STEP * LONGEST_STEP) ? Real(LONGEST_STEP) / square_root(square) : Real(1);
  }

  // CBOW: note the targets' gradients for their contexts, and update their own rows.
  __device__ void note_gradients(const Real *shares) {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k;
      Real part = shares[high[t] - low[t] - 1];
      Real g = own_word[k] >= 0 ? band[k] * part_of(other_limit[own_word[k]]) : Real(0);
      for (int q = 0; q < SPAN; ++q) {
        Four d = zero(), step = zero();
        add(d, part, gradient(k, q));
        store(noted + t % RING * DIM, q, lane, d);
        if (own_word[k] >= 0) {
          add(step, g, load(hidden + k * DIM, q, lane));
          add_to_table(other + (long long)own_word[k] * DIM, q, lane, step);
        }
      }
    }
  }

  // Skip-gram: update the targets' rows.
  __device__ void update_targets() {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      Four d[SPAN];
      Real square = 0, whole = part_of(other_limit[word[first + k]]);
#pragma unroll
      for (int q = 0; q < SPAN; ++q) {
        d[q] = gradient(k, q);
        square += dot(d[q], d[q]);
      }
      Real part = shortening(square) * whole;
#pragma unroll
      for (int q = 0; q < SPAN; ++q) {
        Four step = zero();
        add(step, part, d[q]);
        add_to_table(other + (long long)word[first + k] * DIM, q, lane, step);
      }
    }
  }

  // Write the tokens from `begin` to `end`, each with the steps of all targets before `seen` whose windows reached it.
  __device__ void leave(int begin, int end, int seen) {
#pragma unroll 1
    for (int i = begin + (warp + WARPS - begin % WARPS) % WARPS; i < end; i += WARPS) {
      Four steps[SPAN];
#pragma unroll
      for (int q = 0; q < SPAN; ++q) steps[q] = zero();
      Real whole = part_of(stream_limit[word[i]]);  // asked for early
#pragma unroll 1
      for (int base = i - WINDOW; base <= i + WINDOW; base += 32) {  // each lane asks about one target
        int t = base + lane;
        bool near = t >= 0 && t <= i + WINDOW && t < seen && t != i;
        int begin = near ? low[t] : 0, end = near ? high[t] : 0;
        unsigned reaching = __ballot_sync(ALL, begin <= i && i < end);
#pragma unroll 1
        for (t = base; reaching; reaching >>= GROUP, t += GROUP)
#pragma unroll
          for (int j = 0; j < GROUP; ++j) {
            int slot = (t + j + RING) % RING;
            Real g = !(reaching >> j & 1) ? Real(0) : CBOW ? Real(1) : band[slot * BAND + i - t - j + WINDOW];
#pragma unroll
            for (int q = 0; q < SPAN; ++q) add(steps[q], g, load(noted + slot * DIM, q, lane));
          }
      }
      Real square = 0;
#pragma unroll
      for (int q = 0; q < SPAN; ++q) square += dot(steps[q], steps[q]);
      Real part = shortening(square);
      int hit = POOL_HELD && !CBOW ? find(word[i]) : -1;
      if (hit < 0) part *= whole;  // a row of the pool is shortened when the pool is written
#pragma unroll
      for (int q = 0; q < SPAN; ++q) {
        Four step = zero();
        add(step, part, steps[q]);
        if (hit >= 0) {
          add_shared(pool + hit * DIM, q, lane, step);
          add_shared(change + hit * DIM, q, lane, step);
        } else {
          add_to_table(stream + (long long)word[i] * DIM, q, lane, step);
        }
      }
    }
  }

  // Train one stretch; its kept tokens are left prepared. `key` is that of the negatives; `done` tokens came before.
  __device__ void train(int n, long long start, Bits key, const Bits *threshold, const int *alias, long long words,
                        long long done, double alpha, double slope, long long pool_tokens, int refresh,
                        const Real *shares) {
    long long pool_end = -1;
    int age = 0, entered = 0, left = 0;
    bool filled = false;
    for (first = 0; first < n; first += count) {
      bool changed = start + place[first] >= pool_end;
      if (POOL_HELD && filled && (changed || age == refresh)) {
        write_pool();
        __syncthreads();
      }
      if (changed) {
        long long number = (start + place[first]) / pool_tokens;
        pool_end = (number + 1) * pool_tokens;
        draw_pool(key, number, threshold, alias, words);
        __syncthreads();
      }
      if (!POOL_HELD) {
        read_pool();
      } else if (changed || age == refresh) {
        read_pool();
        filled = true;
        age = 0;
        await_rows();
        __syncthreads();
      }
      ++age;
      int end = first + TILE < n ? first + TILE : n;
      while (start + place[end - 1] >= pool_end) --end;
      count = end - first;
      rate = (Real)(alpha - slope * (double)(done + place[first]));

      int reach = end + WINDOW < n ? end + WINDOW : n;
      enter(entered, reach, n);
      read_targets(n);
      entered = reach;
      await_rows();
      __syncthreads();
      if (CBOW) {
        mean_contexts();
        __syncthreads();
      } else {
        score_contexts();
      }
      train_pool();
      __syncthreads();
      if (CBOW) {
        note_gradients(shares);
        __syncthreads();
      } else {
        update_targets();
      }
      int out = end == n ? n : end - WINDOW;
      leave(left, out, end);
      left = out > left ? out : left;
      __syncthreads();
    }
    if (POOL_HELD && filled) write_pool();
    __syncthreads();
  }

  // Take items in turn until none is left. Each is a stretch in an epoch; epoch e has items e * stretches and on.
  __device__ void run(PARAMETERS) {
    stream = CBOW ? W_in : W_out;
    other = CBOW ? W_out : W_in;
    noise = W_out;
    stream_limit = CBOW ? limit_in : limit_out;
    other_limit = CBOW ? limit_out : limit_in;
    noise_limit = limit_out;
    int *own = scratch + (long long)blockIdx.x * 5 * STRETCH;
    word = own;
    place = own + STRETCH;
    sentence = own + 2 * STRETCH;
    low = own + 3 * STRETCH;
    high = own + 4 * STRETCH;
    share = (Real)(negative / POOL_SIZE);
    Bits *next = (Bits *)parts;
    for (;;) {
      if (thread == 0) *next = atomicAdd(counter, 1ull);
      __syncthreads();
      long long item = (long long)*next;
      if (item >= last_item) break;
      __syncthreads();
      long long epoch = item / stretches, start = begins[item];
      Bits keep_key = bits(bits(seed, 1), epoch), window_key = bits(bits(seed, 2), epoch);
      int n = prepare(ids - first_token, start, ends[item], keep, keep_key, window_key, shrink_windows);
      loss = 0;
      train(n, start, bits(bits(seed, 3), epoch), threshold, alias, words, dones[item], alpha, slope, pool_tokens,
            refresh, shares);
      double *sums = (double *)parts;
      double mine = sum_double(loss);
      if (lane == 0) sums[warp] = mine;
      __syncthreads();
      if (thread == 0) {
        double total = 0;
#pragma unroll 1
        for (int w = 0; w < WARPS; ++w) total += sums[w];
        losses[item] = total;
        trained[item] = n;
      }
      __syncthreads();
    }
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) cbow_ns(PARAMETERS) {
  SHARED_MEMORY(memory);
  Block<true>(memory).run(ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(THREADS) skipgram_ns(PARAMETERS) {
  SHARED_MEMORY(memory);
  Block<false>(memory).run(ARGUMENTS);
}
