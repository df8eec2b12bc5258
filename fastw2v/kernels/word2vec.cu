// The fused GPU kernels train CBOW or skip-gram with negative sampling. Their design is explained in
// docs/concepts/gpu.md.
//
// Formula. For a target t with contexts c and negatives n, the loss is
//   CBOW:       -log sigmoid(h . W_out[t]) - sum_n weight_n log sigmoid(-h . W_out[n]),        h = mean of W_in[c]
//   skip-gram:  -sum_c log sigmoid(h . W_out[c]) - sum_n weight_n log sigmoid(-h . W_out[n]),  h = W_in[t]
// With SUBWORDS, W_in[w] stands for the mean of the rows of word w, and each of these rows takes the whole step of w.
// fastw2v/engines/reference.py specifies the order of reads and updates.
//
// Parallel axis. Blocks train different chunks of the corpus. A block trains a chunk tile by tile, from left to right,
// and then takes the next chunk.
//
// Contract. The result of one block equals that of the reference implementation up to rounding. Several blocks update
// the tables with atomic additions and without locks, so their results vary. Word ids must lie in 0..V-1, which is not
// checked. The padding of the rows stays zero.
//
// Files. This file defines what does not depend on how a tile is computed: the arguments, random numbers, subsampling,
// windows, pools, and the order of tiles and chunks (`Schedule`). The host appends one of two files, which define how a
// block computes a tile (`Block`) and the kernels `cbow_ns` and `skipgram_ns`:
//   word2vec_rows.cu  tiles of any size in float32 or float64; a warp processes whole rows
//   word2vec_mma.cu   tiles of 16 targets in float32, from compute capability 8.0 on; a warp processes some columns of
//                     all rows with tensor cores
// For hierarchical softmax, the host appends word2vec_rows.cu and word2vec_hs.cu. The latter defines the kernels
// `cbow_hs` and `skipgram_hs`.
//
// Macros. The host defines DIM (width of a row, a multiple of 4), REACH (largest distance between a target
// and a context), TILE, RING_ROWS (rows of a ring buffer, at least 2 * REACH + TILE), POOL_SIZE, POOL_HELD, WARPS,
// MIN_BLOCKS (blocks of a multiprocessor for which the compiler must leave registers), CHUNK_TOKENS, MAX_STEP_NORM and
// FREEZE (whether rows with a max_rate of 0 keep their bytes), SUBWORDS (whether the input vector of a word is the mean
// of several rows), and DOUBLE for float64. For hierarchical softmax, it also defines PATH_GROUP (inner nodes that are in
// shared memory at a time) and NEGATIVE_SAMPLING (whether each chunk is trained with negative sampling, too).
// There is no #include, because NVRTC needs no headers.

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
constexpr int PREFETCH_DISTANCE = 2 * TILE;  // tokens between the prefetch of a row and its use
constexpr int TOKENS_AHEAD = TILE + REACH + PREFETCH_DISTANCE;  // tokens from the first target on that a tile accesses

constexpr int power_of_two(int least) {
  int n = 1;
  while (n < least) n *= 2;
  return n;
}

// Tokens in shared memory. A slow warp may still process the tile before, and a tile accesses tokens 2 * REACH before
// its first target.
constexpr int TOKEN_ROWS = power_of_two(TOKENS_AHEAD + 2 * TILE + 2 * REACH);

// The only parameter of the kernels, passed by value. `Arguments` in word2vec_cuda.py has the same fields in the same
// order. Addresses that a kernel does not need are null.
//
// Shapes use V for the words in the vocabulary, R for the rows of W_in, which are V without SUBWORDS, D for DIM, C for the
// chunks in an epoch, N = C * epochs for the items, and B for the blocks. An item is a chunk in an epoch, and items are numbered in the order of training.
struct Arguments {
  // tables
  Real *W_in, *W_out;            // (R, D) and (V, D)
  const Real *max_rate_in;       // (R,): learning rate above which the steps of a row of W_in are scaled down
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

  // hierarchical softmax
  Real *W_nodes;                 // (V, D): rows of the inner nodes of the Huffman tree
  const Real *tree_max_rate_in;  // (R,): max_rate_in for hierarchical softmax
  const Real *max_rate_nodes;    // (V,): the corresponding learning rate for W_nodes
  const long long *path_start;   // (V + 1,): the path of word w is path[path_start[w]] to path[path_start[w + 1] - 1]
  const int *path;               // inner nodes of all paths, each from the root to the word: node << 1 | code

  // subwords
  const long long *subword_starts;  // (V + 1,): the rows of word w are subword_rows[subword_starts[w]] to
                                    // subword_rows[subword_starts[w + 1] - 1]
  const int *subword_rows;          // rows of W_in of all words
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

// ---- reads of the tables ----

// Start to copy 16 bytes of a table to shared memory, bypassing the first-level cache. The other threads can read them
// after `wait_for_rows` and a barrier.
__device__ inline void fetch(void *to, const void *from) {
#if ASYNC_COPY
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from)
               : "memory");
#else
  *(float4 *)to = __ldcg((const float4 *)from);
#endif
}

// Wait for the copies that this thread has started. Before compute capability 8.0, copies are synchronous.
__device__ inline void wait_for_rows() {
#if ASYNC_COPY
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// Start to copy four bytes of global memory to shared memory, like `fetch`.
__device__ inline void fetch_int(int *to, const int *from) {
#if ASYNC_COPY
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from)
               : "memory");
#else
  *to = *from;
#endif
}

// Prefetch the cache line of an address into the second-level cache.
__device__ inline void prefetch(const void *line) {
#ifdef __CUDA_ARCH__
  asm volatile("prefetch.global.L2 [%0];" ::"l"(line));
#endif
}

template <typename Number> __device__ inline Number warp_sum(Number x) {
  for (int offset = 16; offset; offset /= 2) x += __shfl_xor_sync(FULL_MASK, x, offset);
  return x;
}

// ---- the schedule, which is the same for all kernels ----

// The window of a token: the first kept token in it, and one past the last.
struct alignas(8) Bounds {
  int begin, end;
};

// The state of a block that does not depend on how tiles are computed. `Block`, which derives from it, adds the buffers
// for rows and the functions that process them.
//
// Latency. The tokens of a chunk are in global memory. A tile would start with a chain of reads, each of which waits for
// the one before: positions, words, rows. The tokens near the tile are therefore in shared memory, too, and those of the
// next tile are copied while a tile is trained. Likewise, the next pool is drawn during the last tile of a pool.
struct Schedule {
  int thread, warp, lane;

  // Tables (V, D) and their max_rates (V,): of the contexts (the stream), of the targets, and of the pool.
  Real *stream_table, *target_table, *pool_table;
  const Real *stream_max_rate, *target_max_rate, *pool_max_rate;

  // The rows of each word, as in `Arguments`.
  const long long *subword_starts;
  const int *subword_rows;

  // The n tokens of the chunk that subsampling keeps, in global memory.
  int *word;          // (n,): word id
  int *position;      // (n,): index of the token, relative to the start of the chunk
  int *window_begin;  // (n,): first kept token in the window
  int *window_end;    // (n,): one past the last kept token in the window
  int *sentence;      // (n,): number of the sentence

  // Shared memory, with two pools: the current one and the next.
  Real *multiplicity;       // (2, POOL_SIZE): how often the word was drawn, or 0 if an earlier row has the word
  Real *pool_row_max_rate;  // (2, POOL_SIZE): pool_max_rate of the word
  int *pool_word;           // (2, POOL_SIZE): word id
  int current_pool;         // where the current pool is in these arrays: 0 or POOL_SIZE
  Bounds *near_window;      // (TOKEN_ROWS,): windows of the tokens near the tile; token t is in row t % TOKEN_ROWS
  int *near_word;           // (TOKEN_ROWS,): word ids of these tokens
  int *near_position;       // (TOKEN_ROWS,): positions of these tokens
  long long *chunk;         // (3,): of the chunk: its first token, the tokens of all epochs that were trained before it,
                            // and the key of its negatives. They would take six registers.
  int *warp_totals;         // (2, WARPS)
  double *between_chunks;   // (WARPS,): working memory between chunks, which overlaps with a buffer for rows

  // The tile.
  int first, count;   // the targets are kept tokens first to first + count - 1
  Real rate;          // learning rate
  Real inverse_rate;  // 1 / rate
  Real noise_weight;  // weight of a row of the pool for one positive
  bool measured;      // whether the loss of the tile is added to the loss of the item
  double loss;        // this thread's part of the loss of the item
  int predictions;    // this lane's part of the number of measured predictions of the item

  __device__ Schedule() {
    thread = threadIdx.x;
    warp = threadIdx.x / 32;  // unsigned, so that the compiler knows that neither is negative
    lane = threadIdx.x % 32;
  }

  // Return the row of kept token t in a ring. An unsigned remainder takes fewer instructions, and only one if RING_ROWS
  // is a power of two.
  static __device__ int slot(int t) { return (unsigned)t % RING_ROWS; }

  // Return what shared memory has of token t, which is near the tile.
  __device__ int word_of(int t) const { return near_word[(unsigned)t % TOKEN_ROWS]; }
  __device__ int position_of(int t) const { return near_position[(unsigned)t % TOKEN_ROWS]; }
  __device__ Bounds bounds_of(int t) const { return near_window[(unsigned)t % TOKEN_ROWS]; }

  // Start to copy tokens `begin` to `end` - 1 to shared memory. They can be read after `wait_for_rows` and a barrier.
  __device__ void fetch_tokens(int begin, int end) {
#pragma unroll 1
    for (int i = 4 * begin + thread; i < 4 * end; i += THREADS) {
      const int t = i / 4, row = (unsigned)t % TOKEN_ROWS, field = i % 4;
      int *to = field == 0   ? near_word + row
                : field == 1 ? near_position + row
                             : (int *)(near_window + row) + (field - 2);
      fetch_int(to, word + field * CHUNK_TOKENS + t);
    }
  }

  // Return the factor that scales down a step of a row (engines/staleness.py). `max_rate` may be infinite.
  __device__ Real damping(Real max_rate) const { return minimum(Real(1), max_rate * inverse_rate); }

  // Return whether a row may be written. With FREEZE, a row with a `max_rate` of 0 keeps its bytes.
  static __device__ bool is_written(Real max_rate) { return !FREEZE || max_rate != 0; }

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

  // Return the number of the pool of token t.
  __device__ long long pool_number(int t, const Arguments &arguments) const {
    return (chunk[0] + position_of(t)) / arguments.pool_tokens;
  }

  // Draw the words of the next pool, which is that of token t. A word that is drawn several times has one row with a
  // multiplicity, because a second row would not receive the updates of the first. One warp calls this function.
  __device__ void draw_pool(int t, const Arguments &arguments) {
    const int next_pool = POOL_SIZE - current_pool;
    int *drawn = pool_word + next_pool;
    Bits row = bits((Bits)chunk[2], pool_number(t, arguments));
#pragma unroll 1
    for (int p = lane; p < POOL_SIZE; p += 32) {
      Bits random = bits(row, p);
      int slot = (int)randint(random, arguments.words), other = arguments.alias[slot];
      drawn[p] = bernoulli(random, arguments.threshold[slot]) ? slot : other;
    }
    __syncwarp();
#pragma unroll 1
    for (int p = lane; p < POOL_SIZE; p += 32) {
      int equal = 0;
      bool earlier = false;
#pragma unroll 1
      for (int q = 0; q < POOL_SIZE; ++q) {
        equal += drawn[q] == drawn[p];
        earlier |= q < p && drawn[q] == drawn[p];
      }
      multiplicity[next_pool + p] = earlier ? 0 : equal;
      pool_row_max_rate[next_pool + p] = pool_max_rate[drawn[p]];
    }
  }

  // Return the index of a word in the pool, or -1. All lanes of a warp must pass the same word.
  __device__ int find_in_pool(int wanted) const {
#pragma unroll 1
    for (int base = 0; base < POOL_SIZE; base += 32) {
      unsigned found = __ballot_sync(FULL_MASK, base + lane < POOL_SIZE && pool_word[current_pool + base + lane] == wanted);
      if (found) return base + __popc((found & (0 - found)) - 1);
    }
    return -1;
  }

  // Return the learning rate times the negative derivative of a pair's loss with respect to its score. Add the loss to
  // the loss of the item if the tile is measured.
  __device__ Real pair_coefficient(bool positive, Real weight, Real score) {
    Real s = positive ? -score : score, g = rate * weight * sigmoid(s);
    if (measured) loss += (double)(weight * softplus(s));
    return positive ? g : -g;
  }

  // Train the n tokens that `subsample` kept of a chunk. `start` is the first token of the chunk, `done` the number of
  // tokens of all epochs that were trained before it, and `key` the key of the negatives.
  template <class Block>
  __device__ void train(Block &block, int n, long long start, Bits key, long long done, const Arguments &arguments) {
    if (n == 0) return;
    if (thread == 0) {
      chunk[0] = start;
      chunk[1] = done;
      chunk[2] = (long long)key;
    }
    fetch_tokens(0, n < TOKENS_AHEAD ? n : TOKENS_AHEAD);
    wait_for_rows();
    __syncthreads();
    if (warp == WARPS - 1) draw_pool(0, arguments);
    __syncthreads();
    const int tile = TILE < arguments.pool_tokens ? TILE : (int)arguments.pool_tokens;
    int pool_stop = 0;  // the pool is for tiles that begin before this position
    int age = 0;
    bool filled = false;
    for (first = 0; first < n; first += count) {
      bool changed = position_of(first) >= pool_stop;
      measured = changed;  // the rows of the pool have not been trained on this tile's part of the text
      if (POOL_HELD && filled && (changed || age == arguments.pool_sync_interval)) {
        block.write_pool();
        __syncthreads();
      }
      if (changed) {
        long long stop = (pool_number(first, arguments) + 1) * arguments.pool_tokens - chunk[0];
        pool_stop = stop < CHUNK_TOKENS ? (int)stop : CHUNK_TOKENS;
        current_pool = POOL_SIZE - current_pool;
      }
      if (!POOL_HELD) {
        block.read_pool();
      } else if (changed || age == arguments.pool_sync_interval) {
        block.read_pool();
        filled = true;
        age = 0;
        wait_for_rows();
        __syncthreads();
      }
      ++age;
      count = tile < n - first ? tile : n - first;
      if (measured) {
        for (int t = first + lane; t < first + count; t += 32) {  // each lane examines one target
          Bounds window = bounds_of(t);
          predictions += Block::IS_CBOW ? 1 : window.end - window.begin - 1;
        }
      }
      const int end = first + count;
      fetch_tokens(first + TOKENS_AHEAD, end + TOKENS_AHEAD < n ? end + TOKENS_AHEAD : n);
      if (warp == WARPS - 1 && end < n && position_of(end) >= pool_stop) draw_pool(end, arguments);
      rate = (Real)(arguments.alpha - arguments.slope * (double)(chunk[1] + position_of(first)));
      inverse_rate = divide(Real(1), rate);

      // Rows of tokens before `reach` enter, and those of tokens before `out` leave. The tiles before have done the same.
      const int entered = first == 0 ? 0 : first + REACH < n ? first + REACH : n;
      const int reach = end + REACH < n ? end + REACH : n;
      const int left = first > REACH ? first - REACH : 0;
      const int out = end == n ? n : end > REACH ? end - REACH : 0;
      block.train_tile(entered, reach, left, out, n, arguments.cbow_grad_scale);
    }
    if (POOL_HELD && filled) block.write_pool();
    __syncthreads();
  }

  // Set the tables and the arrays in global memory.
  template <class Block> __device__ void set_up(const Arguments &arguments) {
    stream_table = Block::IS_CBOW ? arguments.W_in : arguments.W_out;
    target_table = Block::IS_CBOW ? arguments.W_out : arguments.W_in;
    pool_table = arguments.W_out;
    stream_max_rate = Block::IS_CBOW ? arguments.max_rate_in : arguments.max_rate_out;
    target_max_rate = Block::IS_CBOW ? arguments.max_rate_out : arguments.max_rate_in;
    pool_max_rate = arguments.max_rate_out;
    word = arguments.scratch + (long long)blockIdx.x * 5 * CHUNK_TOKENS;
    position = word + CHUNK_TOKENS;
    window_begin = word + 2 * CHUNK_TOKENS;
    window_end = word + 3 * CHUNK_TOKENS;
    sentence = word + 4 * CHUNK_TOKENS;
    noise_weight = (Real)(arguments.negative / POOL_SIZE);
    subword_starts = arguments.subword_starts;
    subword_rows = arguments.subword_rows;
  }

  // Train one item after another until none remains. The first item of epoch e is e * chunks_per_epoch.
  template <class Block> __device__ void run(Block &block, const Arguments &arguments) {
    set_up<Block>(arguments);
    Bits *next = (Bits *)between_chunks;
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
      block.train(block, n, start, bits(bits(arguments.seed, 3), epoch), arguments.chunk_done[item], arguments);
      double mine = warp_sum(loss);
      predictions = warp_sum(predictions);  // every warp has counted all of them
      if (lane == 0) between_chunks[warp] = mine;
      __syncthreads();
      if (thread == 0) {
        double total = 0;
#pragma unroll 1
        for (int w = 0; w < WARPS; ++w) total += between_chunks[w];
        arguments.losses[item] = total;
        arguments.predictions[item] = predictions;
      }
      __syncthreads();
    }
  }
};
