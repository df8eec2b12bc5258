// The fused GPU kernels train CBOW or skip-gram with negative sampling. Their design is explained in
// docs/concepts/gpu.md.
//
// Formula. For a target t with contexts c and negatives n, the loss is
//   CBOW:       -log sigmoid(h . W_out[t]) - sum_n weight_n log sigmoid(-h . W_out[n]),        h = mean of W_in[c]
//   skip-gram:  -sum_c log sigmoid(h . W_out[c]) - sum_n weight_n log sigmoid(-h . W_out[n]),  h = W_in[t]
// fastw2v/engines/reference.py specifies the order of reads and updates.
//
// Parallel axis. Blocks train different chunks of the corpus. A block trains a chunk tile by tile, from left to right,
// and then takes the next chunk. The warps of a block divide the targets of a tile and the rows of the pool. The lanes
// of a warp divide the columns of a row.
//
// Contract. The result of one block equals that of the reference implementation up to rounding. Several blocks update
// the tables with atomic additions and without locks, so their results vary. Word ids must lie in 0..V-1, which is not
// checked. The padding of the rows stays zero.
//
// Division of work. Warp w processes the targets w, w + WARPS, ... of a tile. It averages or scores their contexts and
// sums their gradients. Each warp scores its part of the pool against all targets of the tile and updates this part.
// The warps also divide the reading of rows that enter the windows and the writing of rows that leave them. A warp
// processes whole rows, four columns per lane at a time. It reduces 32 scores at once, one per lane (`Reduce`).
//
// Memory. The windows move over the rows of one table, the stream (CBOW: W_in, skip-gram: W_out). A row of the stream
// is read from global memory once, stays in a ring buffer in shared memory while windows reach it, and is written once,
// with atomic additions. The steps of these rows are not accumulated. Instead, a second ring buffer stores one row per
// target. For CBOW, this is the gradient of the context mean. For skip-gram, it is the hidden vector, which is
// multiplied by a band of coefficients. When a row leaves, its step is summed from this buffer. The pool is in shared
// memory too. With POOL_HELD, it stays there for `pool_sync_interval` tiles, together with a copy that accumulates its
// updates. Without POOL_HELD, it is read and written in each tile.
//
// Latency. A tile is a chain of dependent steps, and a block works on one tile at a time, so most of its time is
// latency. The kernel therefore issues independent reads together. Reads of the tables go directly to shared memory
// (`fetch_row`), and a warp issues all of them before it waits. They bypass the first-level cache, which does not see
// the writes of other blocks. Sums over a window read WINDOW_GROUP rows at a time and multiply rows outside by zero.
//
// Macros. The host defines DIM (width of a row, a multiple of 4), REACH (largest distance between a target
// and a context), TILE, RING_ROWS (rows of a ring buffer, at least 2 * REACH + TILE), POOL_SIZE, POOL_HELD, WARPS,
// MIN_BLOCKS (blocks of a multiprocessor for which the compiler must leave registers), CHUNK_TOKENS and MAX_STEP_NORM,
// and DOUBLE for float64. There is no #include, because NVRTC needs no headers.

#ifdef DOUBLE
typedef double Real;
#else
typedef float Real;
#endif
typedef unsigned long long Bits;

#ifndef VECTOR_ATOMICS  // whether one atomic operation adds four columns (from compute capability 9.0 on)
#if !defined(DOUBLE) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define VECTOR_ATOMICS 1
#else
#define VECTOR_ATOMICS 0
#endif
#endif

#ifndef ASYNC_COPY  // whether rows are copied to shared memory asynchronously (from compute capability 8.0 on)
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define ASYNC_COPY 1
#else
#define ASYNC_COPY 0
#endif
#endif

#ifndef SHARED_MEMORY
#define SHARED_MEMORY(name) extern __shared__ __align__(16) double name[]
#endif

#define FULL_MASK 0xffffffffu
constexpr int THREADS = 32 * WARPS;
constexpr int BAND = 2 * REACH + 1;                              // tokens that the window of a target can reach
constexpr int ROW_STEPS = (DIM + 127) / 128;                     // steps of a warp along a row, each of 128 columns
constexpr int TARGET_GROUP = TILE >= 3 ? 4 : TILE;               // targets that are scored together
constexpr int PADDED_TILE = (TILE + TARGET_GROUP - 1) / TARGET_GROUP * TARGET_GROUP;
constexpr int WARP_POOL_ROWS = (POOL_SIZE + WARPS - 1) / WARPS;  // rows of the pool for each warp
constexpr int POOL_GROUP = WARP_POOL_ROWS >= 5 ? 8 : WARP_POOL_ROWS >= 3 ? 4 : WARP_POOL_ROWS;  // rows scored together
constexpr int WINDOW_GROUP = ROW_STEPS > 2 ? 2 : 4;              // rows of a window that are read together
constexpr int PREFETCH_DISTANCE = 2 * TILE;                      // tokens between the prefetch of a row and its use
constexpr int ROW_BYTES = DIM * (int)sizeof(Real);

// The only parameter of the kernels, passed by value. `Arguments` in word2vec_cuda.py has the same fields in the same
// order.
//
// Shapes use V for the words in the vocabulary, D for DIM, C for the chunks in an epoch, N = C * epochs for the items,
// and B for the blocks. An item is a chunk in an epoch, and items are numbered in the order of training.
struct Arguments {
  // tables
  Real *W_in, *W_out;            // (V, D)
  const Real *max_rate_in;       // (V,): learning rate above which the steps of a row of W_in are scaled down
  const Real *max_rate_out;      // (V,): the corresponding learning rate for W_out (engines/staleness.py)
  long long words;               // V

  // corpus
  const int *ids;                // (tokens,): word ids. The last token of a sentence has the sign bit set.
  long long first_token;         // index in the corpus of ids[0]
  const long long *chunk_start;  // (N,): index in the corpus of the first token of each item
  const long long *chunk_stop;   // (N,): index after the last token of each item
  const long long *chunk_done;   // (N,): tokens, over all epochs, that are trained before each item
  long long chunks_per_epoch;    // C
  long long stop_item;           // index after the last item of the launch

  // sampling
  const Bits *keep;              // (V,): subsampling threshold of each word, for `bernoulli`
  const Bits *threshold;         // (V,): thresholds of the alias table of the noise distribution
  const int *alias;              // (V,): aliases of the alias table
  Bits seed;
  int window;                    // maximum distance between a target and a context, at least REACH
  int shrink_windows;            // whether the width of a window is random

  // schedule
  int pool_sync_interval;        // tiles between write-backs of a pool, with POOL_HELD
  long long pool_tokens;         // tokens of the corpus that share a pool
  const Real *cbow_grad_scale;   // (2 * REACH + 1,): factor of a context's gradient, by number of contexts
  double negative;               // negative samples per positive
  double alpha;                  // initial learning rate
  double slope;                  // decrease of the learning rate per token

  // working memory and results
  Bits *next_item;               // (1,): next item to train
  int *scratch;                  // (B, 5, CHUNK_TOKENS)
  double *losses;                // (N,): loss of each item, summed over its measured predictions
  int *predictions;              // (N,): number of measured predictions of each item
};

// ---- random numbers, the same integers as in sampling/rng.py ----

__device__ inline Bits bits(Bits key, Bits position) {
  Bits z = 0x9E3779B97F4A7C15ull * (position + 1) + key;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

__device__ inline Bits randint(Bits random, Bits n) { return ((random >> 32) * n) >> 32; }

__device__ inline bool bernoulli(Bits random, Bits threshold) { return (random & 0xffffffffull) < threshold; }

// ---- arithmetic for float and double ----

__device__ inline float exponential(float x) { return expf(x); }
__device__ inline double exponential(double x) { return exp(x); }
__device__ inline float logarithm(float x) { return __logf(x); }
__device__ inline double logarithm(double x) { return log(x); }
__device__ inline float divide(float x, float y) { return __fdividef(x, y); }
__device__ inline double divide(double x, double y) { return x / y; }
__device__ inline float minimum(float x, float y) { return fminf(x, y); }
__device__ inline double minimum(double x, double y) { return fmin(x, y); }
__device__ inline float square_root(float x) { return sqrtf(x); }
__device__ inline double square_root(double x) { return sqrt(x); }

// Return sigmoid(s). The divisor lies between 1 and 2, where the error of the hardware's fast division is at most two
// units in the last place.
__device__ inline Real sigmoid(Real s) {
  Real tail = exponential(s < 0 ? s : -s);
  return divide(s < 0 ? tail : 1, 1 + tail);
}

// Return log(1 + exp(s)), the loss of a negative with score s or of a positive with score -s. The error of the
// hardware's fast logarithm is at most 4e-7.
__device__ inline Real softplus(Real s) { return (s > 0 ? s : 0) + logarithm(1 + exponential(s < 0 ? s : -s)); }

// ---- the four columns of a row that a lane processes ----

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

// Return the index of column i of a lane. With VECTOR_ATOMICS, the four columns of a lane are adjacent. Otherwise they
// are 32 apart, so that each of the four operations of a warp covers contiguous memory.
__device__ inline int column(int step, int i, int lane) {
  return VECTOR_ATOMICS ? 128 * step + 4 * lane + i : 128 * step + 32 * i + lane;
}

__device__ inline Four load(const Real *row, int step, int lane) {
  Four v = zero();
#if VECTOR_ATOMICS
  if (column(step, 0, lane) < DIM) v = *(const Four *)(row + column(step, 0, lane));
#else
  for (int i = 0; i < 4; ++i)
    if (column(step, i, lane) < DIM) v.x[i] = row[column(step, i, lane)];
#endif
  return v;
}

__device__ inline void store(Real *row, int step, int lane, const Four &v) {
#if VECTOR_ATOMICS
  if (column(step, 0, lane) < DIM) *(Four *)(row + column(step, 0, lane)) = v;
#else
  for (int i = 0; i < 4; ++i)
    if (column(step, i, lane) < DIM) row[column(step, i, lane)] = v.x[i];
#endif
}

// Start to copy a row of a table to shared memory, bypassing the first-level cache. All threads can read the row after
// `wait_for_rows` and a barrier.
__device__ inline void fetch_row(Real *to, const Real *row, int lane) {
#pragma unroll
  for (int byte = 16 * lane; byte < ROW_BYTES; byte += 512) {
#if ASYNC_COPY
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((unsigned)__cvta_generic_to_shared(to) + byte),
                 "l"((const char *)row + byte)
                 : "memory");
#else
    *(float4 *)((char *)to + byte) = __ldcg((const float4 *)((const char *)row + byte));
#endif
  }
}

// Wait for the copies that this thread has started. Before compute capability 8.0, copies are synchronous.
__device__ inline void wait_for_rows() {
#if ASYNC_COPY
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// Add to a row with atomic additions, one column at a time.
__device__ inline void atomic_add_row(Real *row, int step, int lane, const Four &v) {
  for (int i = 0; i < 4; ++i)
    if (column(step, i, lane) < DIM) atomicAdd(row + column(step, i, lane), v.x[i]);
}

// Add to a row of a table with atomic additions.
__device__ inline void add_to_table(Real *row, int step, int lane, const Four &v) {
#if VECTOR_ATOMICS
  if (column(step, 0, lane) < DIM)
    atomicAdd((float4 *)(row + column(step, 0, lane)), float4{v.x[0], v.x[1], v.x[2], v.x[3]});
#else
  atomic_add_row(row, step, lane, v);
#endif
}

// Prefetch a row into the second-level cache.
__device__ inline void prefetch(const Real *row, int lane) {
#ifdef __CUDA_ARCH__
  if (lane * 128 < ROW_BYTES)
    asm volatile("prefetch.global.L2 [%0];" ::"l"((const char *)row + 128 * lane));
#endif
}

// ---- reductions over a warp ----

template <typename Number> __device__ inline Number warp_sum(Number x) {
  for (int offset = 16; offset; offset /= 2) x += __shfl_xor_sync(FULL_MASK, x, offset);
  return x;
}

// Sum each of N numbers over the lanes. N is a power of two up to 32. A lane returns the sum of number lane / (32 / N).
// In each step, two lanes exchange half of their numbers, so 32 sums need 31 exchanges instead of 160.
template <int N, int OFFSET = 16> struct Reduce {
  static __device__ inline Real of(Real *x, int lane) {
    bool upper = lane & OFFSET;
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
      Real mine = upper ? x[i + N / 2] : x[i], other = upper ? x[i] : x[i + N / 2];
      x[i] = mine + __shfl_xor_sync(FULL_MASK, other, OFFSET);
    }
    return Reduce<N / 2, OFFSET / 2>::of(x, lane);
  }
};

template <int OFFSET> struct Reduce<1, OFFSET> {
  static __device__ inline Real of(Real *x, int) {
#pragma unroll
    for (int offset = OFFSET; offset; offset /= 2) x[0] += __shfl_xor_sync(FULL_MASK, x[0], offset);
    return x[0];
  }
};

// ---- one block ----

template <bool CBOW> struct Block {
  int thread, warp, lane;

  // Tables (V, D) and their max_rates (V,): of the contexts (the stream), of the targets, and of the pool.
  Real *stream_table, *target_table, *pool_table;
  const Real *stream_max_rate, *target_max_rate, *pool_max_rate;

  // The n tokens of the chunk that subsampling keeps, in global memory.
  int *word;          // (n,): word id
  int *position;      // (n,): index of the token, relative to the start of the chunk
  int *sentence;      // (n,): number of the sentence
  int *window_begin;  // (n,): first kept token in the window
  int *window_end;    // (n,): one past the last kept token in the window

  // Shared memory. Kept token t has row `slot(t)` of a ring. Target k of the tile is kept token first + k.
  Real *ring;               // (RING_ROWS, D): rows of the stream
  Real *target_ring;        // (RING_ROWS, D): CBOW: gradients of the targets; skip-gram: their hidden vectors
  Real *hidden;             // (PADDED_TILE, D): CBOW: hidden vectors of the targets
  Real *partial_grads;      // (WARPS + 1, PADDED_TILE, D): parts of the targets' gradients: one from the pool rows of
                            // each warp and, last, one from the positives
  Real *pool;               // (POOL_SIZE, D)
  Real *pool_update;        // (POOL_SIZE, D): with POOL_HELD: updates of the pool since it was read
  Real *multiplicity;       // (POOL_SIZE,): how often the word was drawn, or 0 if an earlier row has the word
  Real *pool_row_max_rate;  // (POOL_SIZE,): pool_max_rate of the word
  Real *pool_coefficient;   // (POOL_SIZE, PADDED_TILE): coefficient of each pool row and target
  Real *coefficient;        // CBOW: (PADDED_TILE,): coefficient of each target and its own row
                            // skip-gram: (RING_ROWS, BAND): of target t and context i, in column i - t + REACH
  int *pool_word;           // (POOL_SIZE,): word id
  int *target_word;         // (PADDED_TILE,): CBOW: word id of the target, or ~id if its row is in the pool
  int *ring_word;           // (RING_ROWS,): skip-gram: word id of the row in `ring`
  int *warp_totals;         // (2, WARPS)

  // The tile.
  int first, count;   // the targets are kept tokens first to first + count - 1
  Real rate;          // learning rate
  Real inverse_rate;  // 1 / rate
  Real noise_weight;  // weight of a row of the pool for one positive
  bool measured;      // whether the loss of the tile is added to the loss of the item
  double loss;        // this thread's part of the loss of the item
  int predictions;    // number of measured predictions of the item

  __device__ Block(double *memory) {
    thread = threadIdx.x;
    warp = threadIdx.x / 32;  // unsigned, so that the compiler knows that neither is negative
    lane = threadIdx.x % 32;
    ring = (Real *)memory;
    target_ring = ring + RING_ROWS * DIM;
    hidden = target_ring + RING_ROWS * DIM;
    partial_grads = hidden + (CBOW ? PADDED_TILE * DIM : 0);
    pool = partial_grads + (WARPS + 1) * PADDED_TILE * DIM;
    pool_update = pool + POOL_SIZE * DIM;
    multiplicity = pool_update + (POOL_HELD ? POOL_SIZE * DIM : 0);
    pool_row_max_rate = multiplicity + POOL_SIZE;
    pool_coefficient = pool_row_max_rate + POOL_SIZE;
    coefficient = pool_coefficient + POOL_SIZE * PADDED_TILE;
    pool_word = (int *)(coefficient + (CBOW ? PADDED_TILE : RING_ROWS * BAND));
    target_word = ring_word = pool_word + POOL_SIZE;
    warp_totals = target_word + (CBOW ? PADDED_TILE : RING_ROWS);
#pragma unroll 1
    for (Real *x = ring + thread; x < (Real *)pool_word; x += THREADS) *x = 0;  // because padding must be finite
    __syncthreads();
  }

  // Return the row of kept token t in a ring. An unsigned remainder takes fewer instructions, and only one if RING_ROWS
  // is a power of two.
  static __device__ int slot(int t) { return (unsigned)t % RING_ROWS; }

  __device__ const Real *target_row(int k) const {
    return CBOW ? hidden + k * DIM : target_ring + slot(first + k) * DIM;
  }

  // Return the factor that scales down a step of a row (engines/staleness.py). `max_rate` may be infinite.
  __device__ Real damping(Real max_rate) const { return minimum(Real(1), max_rate * inverse_rate); }

  // Return `n` plus the number of threads before this one for which `chosen` is true. Set `mark` to `marks` plus the
  // number of threads before this one for which `marked` is true. Then add the totals of the block to `n` and `marks`.
  __device__ int block_rank(bool chosen, bool marked, int &n, int &marks, int &mark) {
    unsigned chosen_lanes = __ballot_sync(FULL_MASK, chosen), marked_lanes = __ballot_sync(FULL_MASK, marked);
    if (lane == 0) {
      warp_totals[warp] = __popc(chosen_lanes);
      warp_totals[WARPS + warp] = __popc(marked_lanes);
    }
    __syncthreads();
    unsigned before = (1u << lane) - 1;
    int at = n + __popc(chosen_lanes & before);
    mark = marks + __popc(marked_lanes & before);
    for (int w = 0; w < WARPS; ++w) {
      at += w < warp ? warp_totals[w] : 0;
      mark += w < warp ? warp_totals[WARPS + w] : 0;
      n += warp_totals[w];
      marks += warp_totals[WARPS + w];
    }
    return at;
  }

  // Subsample the tokens from `start` to `stop`, set their windows, and return n. `ids` is indexed like the corpus.
  __device__ int subsample(const int *ids, long long start, long long stop, const Bits *keep, Bits keep_key,
                           Bits window_key, int window, bool shrink_windows) {
    int kept = 0, sentences = 0;
#pragma unroll 1
    for (long long base = start; base < stop; base += THREADS) {
      long long i = base + thread;
      int id = i < stop ? ids[i] : 0;  // negative at the end of a sentence
      bool chosen = i < stop && bernoulli(bits(keep_key, i), keep[id & 0x7fffffff]);
      int s, at = block_rank(chosen, id < 0, kept, sentences, s);
      if (chosen) {
        word[at] = id & 0x7fffffff;
        position[at] = (int)(i - start);
        sentence[at] = s;
      }
      __syncthreads();
    }
    int n = 0;  // tokens that are not alone in their sentence. They move only to the left, to entries already read.
#pragma unroll 1
    for (int base = 0; base < kept; base += THREADS) {
      int i = base + thread;
      int s = i < kept ? sentence[i] : -1;
      bool chosen = i < kept && ((i > 0 && sentence[i - 1] == s) || (i + 1 < kept && sentence[i + 1] == s));
      int w = i < kept ? word[i] : 0, p = i < kept ? position[i] : 0;
      int none, at = block_rank(chosen, false, n, sentences, none);
      if (chosen) {
        word[at] = w;
        position[at] = p;
        sentence[at] = s;
      }
      __syncthreads();
    }
#pragma unroll 1
    for (int t = thread; t < n; t += THREADS) {
      int width = shrink_windows ? (int)randint(bits(window_key, start + position[t]), window) + 1 : window;
      int begin = t, end = t + 1;
      while (begin > 0 && t - begin < width && sentence[begin - 1] == sentence[t]) --begin;
      while (end < n && end - t <= width && sentence[end] == sentence[t]) ++end;
      window_begin[t] = begin;
      window_end[t] = end;
    }
    __syncthreads();
    return n;
  }

  // Draw the words of a pool. A word that is drawn several times has one row with a multiplicity, because a second row
  // would not receive the updates of the first.
  __device__ void draw_pool(Bits key, long long number, const Bits *threshold, const int *alias, long long words) {
    Bits row = bits(key, number);
#pragma unroll 1
    for (int p = thread; p < POOL_SIZE; p += THREADS) {
      Bits random = bits(row, p);
      int slot = (int)randint(random, words);
      pool_word[p] = bernoulli(random, threshold[slot]) ? slot : alias[slot];
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
      multiplicity[p] = earlier ? 0 : equal;
      pool_row_max_rate[p] = pool_max_rate[pool_word[p]];
    }
  }

  // Return the number of this warp's rows of the pool. The first is row `warp * WARP_POOL_ROWS`.
  __device__ int warp_pool_rows() const {
    if (POOL_SIZE % WARPS == 0) return WARP_POOL_ROWS;  // a compile-time constant
    int rest = POOL_SIZE - warp * WARP_POOL_ROWS;
    return rest < 0 ? 0 : rest < WARP_POOL_ROWS ? rest : WARP_POOL_ROWS;
  }

  // Read this warp's rows of the pool.
  __device__ void read_pool() {
#pragma unroll POOL_GROUP
    for (int p = warp * WARP_POOL_ROWS; p < warp * WARP_POOL_ROWS + warp_pool_rows(); ++p) {
      fetch_row(pool + p * DIM, pool_table + (long long)pool_word[p] * DIM, lane);
      if (POOL_HELD)
        for (int q = 0; q < ROW_STEPS; ++q) store(pool_update + p * DIM, q, lane, zero());
    }
  }

  // Add the updates of this warp's rows of the pool to the table, scaled by `damping`.
  __device__ void write_pool() {
#pragma unroll 1
    for (int p = warp * WARP_POOL_ROWS; p < warp * WARP_POOL_ROWS + warp_pool_rows(); ++p)
      if (multiplicity[p] > 0)
        for (int q = 0; q < ROW_STEPS; ++q) {
          Four step = zero();
          add(step, damping(pool_row_max_rate[p]), load(pool_update + p * DIM, q, lane));
          add_to_table(pool_table + (long long)pool_word[p] * DIM, q, lane, step);
        }
  }

  // Return the index of a word in the pool, or -1. All lanes of a warp must pass the same word.
  __device__ int find_in_pool(int wanted) const {
#pragma unroll 1
    for (int base = 0; base < POOL_SIZE; base += 32) {
      unsigned found = __ballot_sync(FULL_MASK, base + lane < POOL_SIZE && pool_word[base + lane] == wanted);
      if (found) return base + __popc((found & (0 - found)) - 1);
    }
    return -1;
  }

  // Read the rows of tokens `begin` to `end` - 1 into the ring.
  __device__ void enter(int begin, int end, int n) {
#pragma unroll 1
    for (int i = begin + (warp + WARPS - begin % WARPS) % WARPS; i < end; i += WARPS) {
      if (i + PREFETCH_DISTANCE < n) prefetch(stream_table + (long long)word[i + PREFETCH_DISTANCE] * DIM, lane);
      Real *row = ring + slot(i) * DIM;
      int hit = POOL_HELD && !CBOW ? find_in_pool(word[i]) : -1;
      if (hit >= 0)
        for (int q = 0; q < ROW_STEPS; ++q) store(row, q, lane, load(pool + hit * DIM, q, lane));
      else
        fetch_row(row, stream_table + (long long)word[i] * DIM, lane);
      if (!CBOW && lane == 0) ring_word[slot(i)] = word[i];
    }
  }

  // Read the targets' own rows. For CBOW these are rows of W_out, unless they are in the pool. For skip-gram they are
  // rows of W_in.
  __device__ void read_targets(int n) {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k, own = word[t];
      if (t + PREFETCH_DISTANCE < n) prefetch(target_table + (long long)word[t + PREFETCH_DISTANCE] * DIM, lane);
      bool in_pool = CBOW && find_in_pool(own) >= 0;
      if (CBOW && lane == 0) target_word[k] = in_pool ? ~own : own;
      Real *row = CBOW ? partial_grads + (WARPS * PADDED_TILE + k) * DIM : target_ring + slot(t) * DIM;
      if (in_pool)
        for (int q = 0; q < ROW_STEPS; ++q) store(row, q, lane, zero());
      else
        fetch_row(row, target_table + (long long)own * DIM, lane);
    }
  }

  // CBOW: average the contexts, score the mean against the target's own row, and compute the part of the gradient that
  // comes from this row.
  __device__ void average_contexts() {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k, begin = window_begin[t], end = window_end[t];
      Real scale = divide(Real(1), Real(end - begin - 1)), score = 0;
      Real *own = partial_grads + (WARPS * PADDED_TILE + k) * DIM;
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four h = zero();
#pragma unroll 1
        for (int base = begin; base < end; base += WINDOW_GROUP)
#pragma unroll
          for (int i = base; i < base + WINDOW_GROUP; ++i)
            add(h, i < end && i != t ? 1 : 0, load(ring + slot(i) * DIM, q, lane));
        for (int i = 0; i < 4; ++i) h.x[i] *= scale;
        store(hidden + k * DIM, q, lane, h);
        score += dot(h, load(own, q, lane));
      }
      score = warp_sum(score);
      Real g = target_word[k] < 0 ? 0 : rate * sigmoid(-score);
      if (lane == 0) {
        coefficient[k] = g;
        if (measured && target_word[k] >= 0) loss += (double)softplus(-score);
      }
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four d = zero();
        add(d, g, load(own, q, lane));
        store(own, q, lane, d);
      }
    }
  }

  // Skip-gram: score the contexts, and compute their coefficients and the part of the targets' gradients that comes
  // from them.
  __device__ void score_contexts() {
    constexpr int N = 8;
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k, begin = window_begin[t], end = window_end[t];
      Real *of_context = coefficient + slot(t) * BAND - t + REACH;
      for (int base = begin; base < end; base += N) {
        Real scores[N] = {};
#pragma unroll 1
        for (int q = 0; q < ROW_STEPS; ++q) {
          Four h = load(target_row(k), q, lane);
#pragma unroll
          for (int j = 0; j < N; ++j) scores[j] += dot(h, load(ring + slot(base + j) * DIM, q, lane));
        }
        Real score = Reduce<N>::of(scores, lane);
        int i = base + lane / (32 / N);
        if (lane % (32 / N) == 0 && i < end) {
          of_context[i] = i == t ? 0 : rate * sigmoid(-score);
          if (measured && i != t) loss += (double)softplus(-score);
        }
      }
      __syncwarp();
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four d = zero();
#pragma unroll 1
        for (int base = begin; base < end; base += WINDOW_GROUP)
#pragma unroll
          for (int i = base; i < base + WINDOW_GROUP; ++i)
            add(d, i < end ? of_context[i] : 0, load(ring + slot(i) * DIM, q, lane));
        store(partial_grads + (WARPS * PADDED_TILE + k) * DIM, q, lane, d);
      }
    }
  }

  // Return the coefficient of target k and row p of the pool.
  __device__ Real pair_coefficient(int k, int p, Real score) {
    int t = first + k, wanted = pool_word[p];
    Real weight = noise_weight * multiplicity[p];
    if (k >= count || weight == 0) return 0;
    bool is_target = CBOW && target_word[k] == ~wanted;  // the row is the positive, not a negative
    if (is_target) {
      weight = 1;
    } else if (!CBOW) {
      int begin = window_begin[t], end = window_end[t];
      bool is_context = false;
#pragma unroll 1
      for (int base = begin; base < end; base += WINDOW_GROUP)
#pragma unroll
        for (int i = base; i < base + WINDOW_GROUP; ++i)
          is_context |= i < end && i != t && ring_word[slot(i)] == wanted;
      if (is_context) return 0;
      weight *= end - begin - 1;
    }
    Real s = is_target ? -score : score, g = rate * weight * sigmoid(s);
    if (measured) loss += (double)(weight * softplus(s));
    return is_target ? g : -g;
  }

  // Score this warp's rows of the pool against all targets, update the rows, and store the part of the targets'
  // gradients that comes from them.
  __device__ void train_pool() {
    const int begin = warp * WARP_POOL_ROWS, rows = warp_pool_rows();
    constexpr int N = TARGET_GROUP * POOL_GROUP;
    for (int r0 = 0; r0 < WARP_POOL_ROWS; r0 += POOL_GROUP)
      for (int k0 = 0; k0 < PADDED_TILE; k0 += TARGET_GROUP) {
        Real scores[N] = {};
#pragma unroll 1
        for (int q = 0; q < ROW_STEPS; ++q) {
          Four h[TARGET_GROUP];
#pragma unroll
          for (int k = 0; k < TARGET_GROUP; ++k) h[k] = load(target_row(k0 + k), q, lane);
#pragma unroll
          for (int r = 0; r < POOL_GROUP; ++r)
            if (r0 + r < rows) {
              Four v = load(pool + (begin + r0 + r) * DIM, q, lane);
#pragma unroll
              for (int k = 0; k < TARGET_GROUP; ++k) scores[r * TARGET_GROUP + k] += dot(v, h[k]);
            }
        }
        Real score = Reduce<N>::of(scores, lane);
        int pair = lane / (32 / N), r = r0 + pair / TARGET_GROUP, k = k0 + pair % TARGET_GROUP;
        if (lane % (32 / N) == 0 && r < rows)
          pool_coefficient[(begin + r) * PADDED_TILE + k] = pair_coefficient(k, begin + r, score);
      }
    __syncwarp();
#pragma unroll 1
    for (int q = 0; q < ROW_STEPS; ++q) {
      Four h[PADDED_TILE], d[PADDED_TILE];
#pragma unroll
      for (int k = 0; k < PADDED_TILE; ++k) {
        h[k] = load(target_row(k), q, lane);
        d[k] = zero();
      }
      for (int r0 = 0; r0 < WARP_POOL_ROWS; r0 += POOL_GROUP)
#pragma unroll
        for (int r = r0; r < r0 + POOL_GROUP; ++r)
          if (r < rows) {
            const int p = begin + r;
            Four v = load(pool + p * DIM, q, lane), step = zero();
            const Real factor = POOL_HELD ? Real(1) : damping(pool_row_max_rate[p]);
#pragma unroll
            for (int k = 0; k < PADDED_TILE; ++k) {
              Real g = pool_coefficient[p * PADDED_TILE + k];
              add(d[k], g, v);
              add(step, factor * g, h[k]);
            }
            if (POOL_HELD) {
              add(v, 1, step);
              store(pool + p * DIM, q, lane, v);
              Four update = load(pool_update + p * DIM, q, lane);
              add(update, 1, step);
              store(pool_update + p * DIM, q, lane, update);
            } else {  // adds zero for a repeated word, because a branch would prevent the overlap of several rows
              add_to_table(pool_table + (long long)pool_word[p] * DIM, q, lane, step);
            }
          }
#pragma unroll
      for (int k = 0; k < PADDED_TILE; ++k) store(partial_grads + (warp * PADDED_TILE + k) * DIM, q, lane, d[k]);
    }
  }

  // Return the negative gradient of target k's hidden vector, times the learning rate.
  __device__ Four gradient(int k, int q) const {
    Four d = zero();
    for (int w = 0; w <= WARPS; ++w) add(d, 1, load(partial_grads + (w * PADDED_TILE + k) * DIM, q, lane));
    return d;
  }

  // Return the factor that clips a step to norm MAX_STEP_NORM. The values of `square` in the lanes add up to the
  // squared norm of the step.
  __device__ Real clip_factor(Real square) const {
    square = warp_sum(square);
    return square > Real(MAX_STEP_NORM * MAX_STEP_NORM) ? Real(MAX_STEP_NORM) / square_root(square) : Real(1);
  }

  // CBOW: store the gradient that each target passes to its contexts, and update the targets' own rows.
  __device__ void store_gradients(const Real *cbow_grad_scale) {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k;
      Real scale = cbow_grad_scale[window_end[t] - window_begin[t] - 1];
      Real g = target_word[k] >= 0 ? coefficient[k] * damping(target_max_rate[target_word[k]]) : Real(0);
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four d = zero(), step = zero();
        add(d, scale, gradient(k, q));
        store(target_ring + slot(t) * DIM, q, lane, d);
        if (target_word[k] >= 0) {
          add(step, g, load(hidden + k * DIM, q, lane));
          add_to_table(target_table + (long long)target_word[k] * DIM, q, lane, step);
        }
      }
    }
  }

  // Skip-gram: update the targets' rows.
  __device__ void update_targets() {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      Four d[ROW_STEPS];
      Real square = 0, damped = damping(target_max_rate[word[first + k]]);
#pragma unroll
      for (int q = 0; q < ROW_STEPS; ++q) {
        d[q] = gradient(k, q);
        square += dot(d[q], d[q]);
      }
      Real factor = clip_factor(square) * damped;
#pragma unroll
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four step = zero();
        add(step, factor, d[q]);
        add_to_table(target_table + (long long)word[first + k] * DIM, q, lane, step);
      }
    }
  }

  // Write the rows of tokens `begin` to `end` - 1. The step of a row is the sum over all targets before `seen` whose
  // windows contain the token.
  __device__ void leave(int begin, int end, int seen) {
#pragma unroll 1
    for (int i = begin + (warp + WARPS - begin % WARPS) % WARPS; i < end; i += WARPS) {
      Four steps[ROW_STEPS];
#pragma unroll
      for (int q = 0; q < ROW_STEPS; ++q) steps[q] = zero();
      Real damped = damping(stream_max_rate[word[i]]);  // read early, because of the latency
#pragma unroll 1
      for (int base = i - REACH; base <= i + REACH; base += 32) {  // each lane examines one target
        int t = base + lane;
        bool near = t >= 0 && t <= i + REACH && t < seen && t != i;
        int begin = near ? window_begin[t] : 0, end = near ? window_end[t] : 0;
        unsigned reaching = __ballot_sync(FULL_MASK, begin <= i && i < end);
#pragma unroll 1
        for (t = base; reaching; reaching >>= WINDOW_GROUP, t += WINDOW_GROUP)
#pragma unroll
          for (int j = 0; j < WINDOW_GROUP; ++j) {
            int row = slot(t + j + RING_ROWS);  // t may be negative
            Real g = !(reaching >> j & 1) ? Real(0) : CBOW ? Real(1) : coefficient[row * BAND + i - t - j + REACH];
#pragma unroll
            for (int q = 0; q < ROW_STEPS; ++q) add(steps[q], g, load(target_ring + row * DIM, q, lane));
          }
      }
      Real square = 0;
#pragma unroll
      for (int q = 0; q < ROW_STEPS; ++q) square += dot(steps[q], steps[q]);
      Real factor = clip_factor(square);
      int hit = POOL_HELD && !CBOW ? find_in_pool(word[i]) : -1;
      if (hit < 0) factor *= damped;  // `write_pool` scales the rows of the pool
#pragma unroll
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four step = zero();
        add(step, factor, steps[q]);
        if (hit >= 0) {
          atomic_add_row(pool + hit * DIM, q, lane, step);
          atomic_add_row(pool_update + hit * DIM, q, lane, step);
        } else {
          add_to_table(stream_table + (long long)word[i] * DIM, q, lane, step);
        }
      }
    }
  }

  // Train the n tokens that `subsample` kept of a chunk. `start` is the first token of the chunk, `done` the number of
  // tokens of all epochs that were trained before it, and `key` the key of the negatives.
  __device__ void train(int n, long long start, Bits key, long long done, const Arguments &arguments) {
    const long long pool_tokens = arguments.pool_tokens;
    long long pool_end = -1;
    int age = 0, entered = 0, left = 0;
    bool filled = false;
    for (first = 0; first < n; first += count) {
      bool changed = start + position[first] >= pool_end;
      measured = changed;  // the rows of the pool have not been trained on this tile's part of the text
      if (POOL_HELD && filled && (changed || age == arguments.pool_sync_interval)) {
        write_pool();
        __syncthreads();
      }
      if (changed) {
        long long number = (start + position[first]) / pool_tokens;
        pool_end = (number + 1) * pool_tokens;
        draw_pool(key, number, arguments.threshold, arguments.alias, arguments.words);
        __syncthreads();
      }
      if (!POOL_HELD) {
        read_pool();
      } else if (changed || age == arguments.pool_sync_interval) {
        read_pool();
        filled = true;
        age = 0;
        wait_for_rows();
        __syncthreads();
      }
      ++age;
      int end = first + TILE < n ? first + TILE : n;
      while (start + position[end - 1] >= pool_end) --end;
      count = end - first;
      if (measured)
        for (int t = first; t < end; ++t) predictions += CBOW ? 1 : window_end[t] - window_begin[t] - 1;
      rate = (Real)(arguments.alpha - arguments.slope * (double)(done + position[first]));
      inverse_rate = divide(Real(1), rate);

      int reach = end + REACH < n ? end + REACH : n;
      enter(entered, reach, n);
      read_targets(n);
      entered = reach;
      wait_for_rows();
      __syncthreads();
      if (CBOW) {
        average_contexts();
        __syncthreads();
      } else {
        score_contexts();
      }
      train_pool();
      __syncthreads();
      if (CBOW) {
        store_gradients(arguments.cbow_grad_scale);
        __syncthreads();
      } else {
        update_targets();
      }
      int out = end == n ? n : end - REACH;
      leave(left, out, end);
      left = out > left ? out : left;
      __syncthreads();
    }
    if (POOL_HELD && filled) write_pool();
    __syncthreads();
  }

  // Train one item after another until none remains. The first item of epoch e is e * chunks_per_epoch.
  __device__ void run(const Arguments &arguments) {
    stream_table = CBOW ? arguments.W_in : arguments.W_out;
    target_table = CBOW ? arguments.W_out : arguments.W_in;
    pool_table = arguments.W_out;
    stream_max_rate = CBOW ? arguments.max_rate_in : arguments.max_rate_out;
    target_max_rate = CBOW ? arguments.max_rate_out : arguments.max_rate_in;
    pool_max_rate = arguments.max_rate_out;
    word = arguments.scratch + (long long)blockIdx.x * 5 * CHUNK_TOKENS;
    position = word + CHUNK_TOKENS;
    sentence = word + 2 * CHUNK_TOKENS;
    window_begin = word + 3 * CHUNK_TOKENS;
    window_end = word + 4 * CHUNK_TOKENS;
    noise_weight = (Real)(arguments.negative / POOL_SIZE);
    Bits *next = (Bits *)partial_grads;
    for (;;) {
      if (thread == 0) *next = atomicAdd(arguments.next_item, 1ull);
      __syncthreads();
      long long item = (long long)*next;
      if (item >= arguments.stop_item) break;
      __syncthreads();
      // 1, 2 and 3 are the streams KEEP, WINDOW and NEGATIVES of sampling/rng.py.
      long long epoch = item / arguments.chunks_per_epoch, start = arguments.chunk_start[item];
      Bits keep_key = bits(bits(arguments.seed, 1), epoch), window_key = bits(bits(arguments.seed, 2), epoch);
      int n = subsample(arguments.ids - arguments.first_token, start, arguments.chunk_stop[item], arguments.keep,
                        keep_key, window_key, arguments.window, arguments.shrink_windows);
      loss = 0;
      predictions = 0;
      train(n, start, bits(bits(arguments.seed, 3), epoch), arguments.chunk_done[item], arguments);
      double *sums = (double *)partial_grads;
      double mine = warp_sum(loss);
      if (lane == 0) sums[warp] = mine;
      __syncthreads();
      if (thread == 0) {
        double total = 0;
#pragma unroll 1
        for (int w = 0; w < WARPS; ++w) total += sums[w];
        arguments.losses[item] = total;
        arguments.predictions[item] = predictions;
      }
      __syncthreads();
    }
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) cbow_ns(const Arguments arguments) {
  SHARED_MEMORY(memory);
  Block<true>(memory).run(arguments);
}

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) skipgram_ns(const Arguments arguments) {
  SHARED_MEMORY(memory);
  Block<false>(memory).run(arguments);
}
