// Tiles of 16 targets in float32 on tensor cores, from compute capability 8.0 on. This file follows word2vec.cu.
//
// Formula. In a tile, the products of rows are products of matrices. Let H (16, D) be the hidden vectors, V (P, D) the
// rows of the pool, and X (26, D) the rows that windows of 5 reach. M (16, 26) has a one for each context of a target
// and zeros elsewhere, and G (16, P) has the coefficients of the pairs. ' means transposed. A tile of CBOW computes
//   H = M X / contexts     scores = H V'     gradients = G V     steps of the pool = G' H
//   steps of contexts = M' gradients
// Skip-gram also scores H X'. The coefficients of these pairs take the place of the ones in M, and H that of gradients.
//
// Parallel axis. Each warp processes WARP_GROUPS groups of eight columns of all matrices. Only a score is a sum over
// all columns, and so is the length of a step. A tile therefore needs three barriers of the block: after the partial
// scores, after the coefficients, and after the partial squares of the steps. Rows never pass from one warp to another.
//
// Contract. That of word2vec.cu. Inputs of the tensor cores are rounded to tf32 (11 bits), to nearest. Rounding affects
// the scores and the steps of rows, each by a relative error of about 1e-3. Errors do not accumulate, because the sums
// and the tables are float32. With SPLIT, each input is a sum of two numbers of tf32, and results are nearly those of
// float32. Tests use this to compare with the reference implementation. Rows outside windows are multiplied by zero, so
// all rows must be finite.
//
// Fragments. `mma` multiplies A (16, 8) by B (8, 8) and adds the result to C (16, 8). Lane 4 g + q holds
//   A: a0 = A[g][q]   a1 = A[g + 8][q]   a2 = A[g][q + 4]   a3 = A[g + 8][q + 4]
//   B: b0 = B[q][g]   b1 = B[q + 4][g]
//   C: c0 = C[g][2 q]   c1 = C[g][2 q + 1]   c2 = C[g + 8][2 q]   c3 = C[g + 8][2 q + 1]
// A product does not change if the columns of A and the rows of B are permuted alike. `score_rows` multiplies H, which
// is a C of an earlier product, by rows of a table. There, column q of A stands for column 2 q of H, and column q + 4
// for column 2 q + 1. Then c0, c2, c1 and c3 are a0, a1, a2 and a3, and no lane needs a number of another lane.
//
// Memory. As in word2vec_rows.cu, except that targets' own rows are in registers. Rows in shared memory are an odd
// number of groups apart, so that the 32 numbers of a fragment are in 32 different banks, whether a fragment has four
// rows and eight columns or eight rows and four columns.

static_assert(TILE == 16 && sizeof(Real) == 4, "the fragments have 16 rows of float32");
static_assert(!SUBWORDS, "each warp would look up the rows of all words");

constexpr int WARP_GROUPS = (DIM + 8 * WARPS - 1) / (8 * WARPS);  // groups of eight columns of each warp
constexpr int STRIDE = 8 * (WARPS * WARP_GROUPS | 1);             // numbers from one row in shared memory to the next
constexpr int POOL_ROWS = (POOL_SIZE + 7) / 8 * 8;                // rows of the pool, padded with zeros
constexpr int NEAR = (2 * REACH + TILE + 7) / 8 * 8;              // tokens that windows of 16 targets reach, padded
constexpr int BAND = 2 * REACH + 1;                               // tokens that the window of a target can reach
constexpr int BAND_STRIDE = (BAND + 2) / 8 * 8 + 5;               // keeps a fragment of a band in different banks

// ---- products ----

#ifdef __CUDA_ARCH__  // tests/cuda_emulator/emulator.cpp defines these functions, too

// Round to tf32, to nearest. `mma` ignores the lower 13 bits of its inputs, whatever they are.
__device__ inline unsigned to_tf32(float x) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}

__device__ inline void mma(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0,
                           unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

#endif

// A number of a fragment: the sum of two numbers of tf32. Without SPLIT, the second is zero and is not used.
struct Number {
  unsigned high, low;
};

__device__ inline Number number(float x) {
#ifdef SPLIT
  unsigned high = to_tf32(x) & 0xffffe000u;
  return Number{high, to_tf32(x - __uint_as_float(high))};
#else
  return Number{to_tf32(x), 0};
#endif
}

// Round a number that is stored in order to be read by `stored`. It is rounded once instead of whenever it is read.
__device__ inline float rounded(float x) {
#ifdef SPLIT
  return x;
#else
  return __uint_as_float(to_tf32(x));
#endif
}

__device__ inline Number stored(float x) {
#ifdef SPLIT
  return number(x);
#else
  return Number{__float_as_uint(x), 0};
#endif
}

__device__ inline void multiply_add(float (&c)[4], Number a0, Number a1, Number a2, Number a3, Number b0, Number b1) {
#ifdef SPLIT
  mma(c, a0.low, a1.low, a2.low, a3.low, b0.high, b1.high);
  mma(c, a0.high, a1.high, a2.high, a3.high, b0.low, b1.low);
#endif
  mma(c, a0.high, a1.high, a2.high, a3.high, b0.high, b1.high);
}

// ---- two adjacent columns, which a lane holds of a row in a fragment C ----

__device__ inline float2 &two(float *row) { return *(float2 *)row; }
__device__ inline const float2 &two(const float *row) { return *(const float2 *)row; }

// Add to a row of a table with atomic additions.
__device__ inline void add_to_table(float *row, float x, float y) {
#if VECTOR_ATOMICS
  atomicAdd((float2 *)row, float2{x, y});
#else
  atomicAdd(row, x);
  atomicAdd(row + 1, y);
#endif
}

// ---- one block ----

// The window of a target: the number of tokens before the target, and the number of all tokens including the target. A
// window of no tokens reaches nothing.
struct alignas(8) Window {
  int before, tokens;

  // Return whether the window contains a context at a distance from the target.
  __device__ bool reaches(int distance) const {
    return (unsigned)(distance + before) < (unsigned)tokens && distance != 0;
  }
};

// The two rows of a table to which the fragments of a lane belong: row g and row g + 8 of 16.
struct Rows {
  int word[2];        // word id, or -1 if there is no such row
  float max_rate[2];  // see `damping`
};

template <bool CBOW> struct Block : Schedule {
  static constexpr bool IS_CBOW = CBOW;
  static constexpr int PAIRS = POOL_ROWS < 32 ? POOL_ROWS / 8 : 4;  // rows of the pool that a lane processes together
  static constexpr int SCORE_STRIDE = 8 * ((POOL_ROWS + (CBOW ? 0 : BAND) + 7) / 8 | 1);

  int g, q;  // lane = 4 * g + q; names that end in 8 belong to row g + 8 of a fragment

  // Shared memory. Kept token t has row `slot(t)` of a ring. Target k of the tile is kept token first + k. A warp reads
  // and writes only its own columns of arrays with D columns.
  float *ring;             // (RING_ROWS, D): rows of the stream
  float *target_ring;      // (RING_ROWS, D): CBOW: gradients of the targets; skip-gram: their hidden vectors
  float *hidden;           // (TILE, D): CBOW: hidden vectors of the targets
  float *pool;             // (POOL_ROWS, D)
  float *pool_update;      // (POOL_SIZE, D): with POOL_HELD: updates of the pool since it was read
  float *scores;           // (WARPS, TILE, SCORE_STRIDE): part of each warp of the scores of a target with the rows of
                           // the pool and, for skip-gram, with the band of tokens around the target. The coefficients
                           // of the pool replace the scores of the first warp.
  float *own_scores;       // (WARPS, TILE): CBOW: part of each warp of the score of a target and its own row
  float *own_coefficient;  // (TILE,): CBOW: coefficient of a target and its own row, or 0 if the row is in the pool
  float *coefficient;      // (RING_ROWS, BAND_STRIDE): skip-gram: of target t and context i, in column i - t + REACH
  float *squares;          // (2, WARPS, TILE): part of each warp of the squared lengths of the steps of leaving rows
  float *target_squares;   // (WARPS, TILE): skip-gram: likewise of the targets' rows

  __device__ Block(double *memory) {
    g = threadIdx.x % 32 / 4;
    q = threadIdx.x % 4;
    ring = (float *)memory;
    target_ring = ring + RING_ROWS * STRIDE;
    hidden = target_ring + RING_ROWS * STRIDE;
    pool = hidden + (CBOW ? TILE * STRIDE : 0);
    pool_update = pool + POOL_ROWS * STRIDE;
    scores = pool_update + (POOL_HELD ? POOL_SIZE * STRIDE : 0);
    chunk = (long long *)(scores + WARPS * TILE * SCORE_STRIDE);
    near_window = (Bounds *)(chunk + 3);
    near_word = (int *)(near_window + TOKEN_ROWS);
    near_position = near_word + TOKEN_ROWS;
    squares = (float *)(near_position + TOKEN_ROWS);
    target_squares = own_scores = squares + 2 * WARPS * TILE;
    coefficient = own_coefficient = own_scores + WARPS * TILE;
    multiplicity = coefficient + (CBOW ? TILE : RING_ROWS * BAND_STRIDE);
    pool_row_max_rate = multiplicity + 2 * POOL_SIZE;
    pool_word = (int *)(pool_row_max_rate + 2 * POOL_SIZE);
    warp_totals = pool_word + 2 * POOL_SIZE;
    current_pool = 0;
    between_chunks = (double *)scores;
#pragma unroll 1
    for (float *x = ring + thread; x < (float *)pool_word; x += THREADS) *x = 0;  // because padding must be finite
    __syncthreads();
  }

  // ---- the columns of this warp ----

  // Return the first column of group j.
  __device__ int column(int j) const { return 8 * (warp * WARP_GROUPS + j); }

  // Return whether a table has the two columns of this lane in group j. Rows in shared memory have all groups, padded
  // with zeros.
  __device__ bool in_table(int j) const { return DIM == 8 * WARPS * WARP_GROUPS || column(j) + 2 * q < DIM; }

  // Start to copy this warp's columns of rows of a table. `to(r)` is where row r goes, and `word_of(r)` is its word. A
  // lane copies four columns at a time. It first reads the words of several rows, because the copies wait for them.
  template <class To, class WordOf>
  __device__ void fetch_rows(int rows, To to, const float *table, WordOf word_of) const {
    constexpr unsigned PIECES = 2 * WARP_GROUPS, BATCH = 4;
#pragma unroll 1
    for (unsigned i = lane; i < rows * PIECES; i += 32 * BATCH) {
      long long id[BATCH];
#pragma unroll
      for (unsigned b = 0; b < BATCH; ++b)
        id[b] = i + 32 * b < rows * PIECES ? word_of(int((i + 32 * b) / PIECES)) : 0;
#pragma unroll
      for (unsigned b = 0; b < BATCH; ++b) {
        int r = (i + 32 * b) / PIECES, c = column(0) + 4 * ((i + 32 * b) % PIECES);
        if (i + 32 * b < rows * PIECES && c < DIM) fetch(to(r) + c, table + id[b] * DIM + c);
      }
    }
  }

  // ---- reading ----

  __device__ void read_pool() {
    fetch_rows(
        POOL_SIZE, [&](int p) { return pool + p * STRIDE; }, pool_table, [&](int p) { return pool_word[current_pool + p]; });
    if (POOL_HELD)
#pragma unroll 1
      for (int p = g; p < POOL_SIZE; p += 8)
        for (int j = 0; j < WARP_GROUPS; ++j)
          two(pool_update + p * STRIDE + column(j) + 2 * q) = float2{0, 0};
  }

  // Read the rows of tokens `begin` to `end` - 1 into the ring.
  __device__ void enter(int begin, int end) {
    fetch_rows(
        end - begin, [&](int r) { return ring + slot(begin + r) * STRIDE; }, stream_table,
        [&](int r) { return word_of(begin + r); });
    if (POOL_HELD && !CBOW) {  // rows of the pool have updates that the table does not have yet
      wait_for_rows();
      __syncwarp();
#pragma unroll 1
      for (int i = begin; i < end; ++i) {
        int hit = find_in_pool(word_of(i));
        for (int c = column(0) + lane; hit >= 0 && c < column(WARP_GROUPS) && c < DIM; c += 32)
          ring[slot(i) * STRIDE + c] = pool[hit * STRIDE + c];
      }
    }
  }

  // Look up the rows of the 16 tokens from `begin` on, but not of tokens from `end` on. This is done early in a tile,
  // because `max_rate` must be read from global memory.
  __device__ Rows look_up(int begin, int end, const Real *max_rate) const {
    Rows rows;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int i = begin + g + 8 * half;
      rows.word[half] = i < end ? word_of(i) : -1;
      rows.max_rate[half] = i < end ? max_rate[rows.word[half]] : 0;
    }
    return rows;
  }

  // Read the targets' own rows: for CBOW rows of W_out, for skip-gram rows of W_in.
  __device__ void read_targets(float (&rows)[WARP_GROUPS][4], const Rows &targets) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float *row = target_table + (long long)targets.word[half] * DIM;
#pragma unroll
      for (int j = 0; j < WARP_GROUPS; ++j) {
        bool present = targets.word[half] >= 0 && in_table(j);
        float2 v = present ? __ldcg((const float2 *)(row + column(j) + 2 * q)) : float2{0, 0};
        rows[j][2 * half] = v.x;
        rows[j][2 * half + 1] = v.y;
      }
    }
  }

  // Prefetch rows that later tiles read. The first 16 lanes prefetch rows of the stream, the others rows of targets.
  __device__ void prefetch_rows(int reach, int n) const {
    int t = PREFETCH_DISTANCE + (lane < TILE ? reach - TILE + lane : first + lane - TILE);
    if (t < n) {
      const float *row = (lane < TILE ? stream_table : target_table) + (long long)word_of(t) * DIM;
      for (int c = column(0); c < column(WARP_GROUPS) && c < DIM; c += 32) prefetch(row + c);
    }
  }

  // Return the window of target k of the tile.
  __device__ Window window_of(int k) const {
    return k < count ? window_around(first + k) : Window{0, 0};
  }

  // Return the window of token t.
  __device__ Window window_around(int t) const {
    Bounds bounds = bounds_of(t);
    return Window{t - bounds.begin, bounds.end - bounds.begin};
  }

  // ---- scores and coefficients ----

  // Return the hidden vector of target k.
  __device__ float *target_row(int k) const {
    return CBOW ? hidden + k * STRIDE : target_ring + slot(first + k) * STRIDE;
  }

  // Return the row in the ring of token first - REACH + i.
  __device__ const float *near_row(int i) const { return ring + slot(first - REACH + RING_ROWS + i) * STRIDE; }

  // CBOW: average the contexts of each target.
  __device__ void average_contexts(float (&h)[WARP_GROUPS][4], Window window, Window window8) const {
    auto context = [&](Window of, int distance) { return Number{of.reaches(distance) ? 0x3f800000u : 0u, 0}; };
#pragma unroll 4
    for (int i = 0; i < NEAR; i += 8) {
      int d = i + q - REACH - g;  // distance from target g to the first token
      Number a0 = context(window, d), a1 = context(window8, d - 8);
      Number a2 = context(window, d + 4), a3 = context(window8, d - 4);
      const float *x0 = near_row(i + q) + g, *x1 = near_row(i + q + 4) + g;
#pragma unroll
      for (int j = 0; j < WARP_GROUPS; ++j)
        multiply_add(h[j], a0, a1, a2, a3, number(x0[column(j)]), number(x1[column(j)]));
    }
    float scale = window.tokens ? divide(1.f, float(window.tokens - 1)) : 0.f;
    float scale8 = window8.tokens ? divide(1.f, float(window8.tokens - 1)) : 0.f;
#pragma unroll
    for (int j = 0; j < WARP_GROUPS; ++j) {
      h[j][0] *= scale;
      h[j][1] *= scale;
      h[j][2] *= scale8;
      h[j][3] *= scale8;
    }
  }

  // Store the hidden vectors in shared memory.
  __device__ void store_hidden(const float (&h)[WARP_GROUPS][4]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int k = g + 8 * half;
      if (CBOW || k < count) {  // the row of another token in the ring may still be needed
#pragma unroll
        for (int j = 0; j < WARP_GROUPS; ++j)
          two(target_row(k) + column(j) + 2 * q) = float2{rounded(h[j][2 * half]), rounded(h[j][2 * half + 1])};
      }
    }
  }

  // Compute this warp's part of the scores of all targets and eight rows, of which `row` is row g.
  __device__ void score_rows(float (&s)[4], const Number (&h)[WARP_GROUPS][4], const float *row) const {
#pragma unroll
    for (int j = 0; j < WARP_GROUPS; ++j) {
      float2 v = two(row + column(j) + 2 * q);
      multiply_add(s, h[j][0], h[j][2], h[j][1], h[j][3], number(v.x), number(v.y));
    }
  }

  // Score the pool, the contexts (skip-gram) and the targets' own rows (CBOW).
  __device__ void score(const float (&h)[WARP_GROUPS][4], const float (&own)[WARP_GROUPS][4]) const {
    Number numbers[WARP_GROUPS][4];
    float *part = scores + (warp * TILE + g) * SCORE_STRIDE;
    float sum = 0, sum8 = 0;
#pragma unroll
    for (int j = 0; j < WARP_GROUPS; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) numbers[j][i] = number(h[j][i]);
      sum += h[j][0] * own[j][0] + h[j][1] * own[j][1];
      sum8 += h[j][2] * own[j][2] + h[j][3] * own[j][3];
    }
#pragma unroll 4
    for (int p = 0; p < POOL_ROWS; p += 8) {
      float s[4] = {0, 0, 0, 0};
      score_rows(s, numbers, pool + (p + g) * STRIDE);
      two(part + p + 2 * q) = float2{s[0], s[1]};
      two(part + 8 * SCORE_STRIDE + p + 2 * q) = float2{s[2], s[3]};
    }
    if (!CBOW) {
      const int at = 2 * q - g;  // token first - REACH + 2 q is in this column of the band of target g
      float *band = part + POOL_ROWS + at;
#pragma unroll 4
      for (int i = 0; i < NEAR; i += 8) {
        float s[4] = {0, 0, 0, 0};
        score_rows(s, numbers, near_row(i + g));
        if ((unsigned)(at + i) < BAND) band[i] = s[0];
        if ((unsigned)(at + i + 1) < BAND) band[i + 1] = s[1];
        if ((unsigned)(at + i - 8) < BAND) band[8 * SCORE_STRIDE + i - 8] = s[2];
        if ((unsigned)(at + i - 7) < BAND) band[8 * SCORE_STRIDE + i - 7] = s[3];
      }
    } else {
      for (int offset = 1; offset < 4; offset *= 2) {
        sum += __shfl_xor_sync(FULL_MASK, sum, offset);
        sum8 += __shfl_xor_sync(FULL_MASK, sum8, offset);
      }
      if (q == 0) {
        own_scores[warp * TILE + g] = sum;
        own_scores[warp * TILE + g + 8] = sum8;
      }
    }
  }

  // Add up a number of which each warp has stored a part. The parts are `distance` apart.
  static __device__ float sum_parts(const float *part, int distance) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < WARPS; ++w) sum += part[w * distance];
    return sum;
  }

  // Compute the coefficients of all pairs. Eight lanes share a target.
  __device__ void compute_coefficients() {
#pragma unroll 1
    for (int k = 4 * warp + lane / 8; k < TILE; k += 4 * WARPS) {
      float *score = scores + k * SCORE_STRIDE;
      Window window = window_of(k);
      float contexts = CBOW ? 1 : window.tokens - 1;
      int t = first + k, own = k < count ? word_of(t) : -1;
      if (!CBOW) {
        float *band = coefficient + slot(t) * BAND_STRIDE;
        for (int i = lane % 8; i < BAND; i += 8)
          if (window.reaches(i - REACH))
            band[i] = rounded(pair_coefficient(true, 1, sum_parts(score + POOL_ROWS + i, TILE * SCORE_STRIDE)));
      }
      bool in_pool = false;  // whether the target's own row is in the pool, where it is the positive
#pragma unroll 1
      for (int p0 = lane % 8; p0 < POOL_ROWS; p0 += 8 * PAIRS) {
        int wanted[PAIRS];
        bool equal[PAIRS];  // whether a row of the pool is a positive
#pragma unroll
        for (int i = 0; i < PAIRS; ++i) {
          int p = p0 + 8 * i;
          wanted[i] = p < POOL_SIZE && multiplicity[current_pool + p] > 0 ? pool_word[current_pool + p] : -2;
          equal[i] = CBOW && wanted[i] == own;
          in_pool |= equal[i];
        }
        if (!CBOW)
#pragma unroll 2
          for (int i = t - window.before; i < t - window.before + window.tokens; ++i) {
            int context = i == t ? -1 : word_of(i);
#pragma unroll
            for (int r = 0; r < PAIRS; ++r) equal[r] |= context == wanted[r];
          }
#pragma unroll
        for (int i = 0; i < PAIRS; ++i) {
          int p = p0 + 8 * i;
          if (POOL_ROWS % (8 * PAIRS) && p >= POOL_ROWS) break;
          float c = 0;
          if (k < count && wanted[i] >= 0 && (CBOW || !equal[i])) {
            float weight = equal[i] ? 1 : noise_weight * multiplicity[current_pool + p] * contexts;
            c = pair_coefficient(equal[i], weight, sum_parts(score + p, TILE * SCORE_STRIDE));
          }
          score[p] = rounded(c);
        }
      }
      if (CBOW) {
        in_pool = __ballot_sync(FULL_MASK, in_pool) >> (lane & 24) & 255;
        if (lane % 8 == 0)
          own_coefficient[k] = in_pool || k >= count ? 0 : pair_coefficient(true, 1, sum_parts(own_scores + k, TILE));
      }
    }
  }

  // ---- gradients and steps ----

  // Return the coefficient of a context at a distance from target t, or zero if the window does not reach it.
  __device__ Number context_coefficient(Window window, int t, int distance) const {
    bool reached = window.reaches(distance);
    if (CBOW) return Number{reached ? 0x3f800000u : 0u, 0};
    return stored(reached ? coefficient[slot(t + RING_ROWS) * BAND_STRIDE + distance + REACH] : 0.f);
  }

  // Add the coefficients of the pool times its rows, and for skip-gram those of the contexts, to the gradients.
  __device__ void add_gradients(float (&d)[WARP_GROUPS][4], Window window, Window window8) const {
#pragma unroll 4
    for (int p = 0; p < POOL_ROWS; p += 8) {
      const float *c = scores + g * SCORE_STRIDE + p + q, *c8 = c + 8 * SCORE_STRIDE;
      Number a0 = stored(c[0]), a1 = stored(c8[0]), a2 = stored(c[4]), a3 = stored(c8[4]);
      const float *v0 = pool + (p + q) * STRIDE + g, *v1 = v0 + 4 * STRIDE;
#pragma unroll
      for (int j = 0; j < WARP_GROUPS; ++j)
        multiply_add(d[j], a0, a1, a2, a3, number(v0[column(j)]), number(v1[column(j)]));
    }
    if (!CBOW)
#pragma unroll 4
      for (int i = 0; i < NEAR; i += 8) {
        int distance = i + q - REACH - g, t = first + g;
        Number a0 = context_coefficient(window, t, distance), a1 = context_coefficient(window8, t + 8, distance - 8);
        Number a2 = context_coefficient(window, t, distance + 4);
        Number a3 = context_coefficient(window8, t + 8, distance - 4);
        const float *x0 = near_row(i + q) + g, *x1 = near_row(i + q + 4) + g;
#pragma unroll
        for (int j = 0; j < WARP_GROUPS; ++j)
          multiply_add(d[j], a0, a1, a2, a3, number(x0[column(j)]), number(x1[column(j)]));
      }
  }

  // CBOW: add the gradients that come from the targets' own rows, store the gradients that the targets pass to their
  // contexts, and update the own rows.
  __device__ void store_gradients(const float (&d)[WARP_GROUPS][4], const float (&h)[WARP_GROUPS][4],
                                  const float (&own)[WARP_GROUPS][4], const Rows &targets,
                                  const Real *cbow_grad_scale) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int k = g + 8 * half, t = first + k;
      if (k < count) {
        // Reading the window again takes fewer registers than keeping it.
        float scale = cbow_grad_scale[window_of(k).tokens - 1], c = own_coefficient[k];
        float *gradient = target_ring + slot(t) * STRIDE + 2 * q;
        float *row = target_table + (long long)targets.word[half] * DIM + 2 * q;
        float step = c * damping(targets.max_rate[half]);
#pragma unroll
        for (int j = 0; j < WARP_GROUPS; ++j) {
          float x = d[j][2 * half] + c * own[j][2 * half], y = d[j][2 * half + 1] + c * own[j][2 * half + 1];
          two(gradient + column(j)) = float2{rounded(scale * x), rounded(scale * y)};
          if (c != 0 && is_written(targets.max_rate[half]) && in_table(j))
            add_to_table(row + column(j), step * h[j][2 * half], step * h[j][2 * half + 1]);
        }
      }
    }
  }

  // Update the rows of the pool.
  __device__ void update_pool() const {
#pragma unroll 2
    for (int m = 0; m < POOL_ROWS; m += 16) {
      float u[WARP_GROUPS][4] = {};
#pragma unroll
      for (int k = 0; k < TILE; k += 8) {
        const float *c0 = scores + (k + q) * SCORE_STRIDE + m + g, *c1 = c0 + 4 * SCORE_STRIDE;
        bool whole = m + 8 < POOL_ROWS;  // whether the fragment has more than eight rows of the pool
        Number a0 = stored(c0[0]), a1 = stored(whole ? c0[8] : 0.f);
        Number a2 = stored(c1[0]), a3 = stored(whole ? c1[8] : 0.f);
        const float *h0 = target_row(k + q) + g, *h1 = target_row(k + q + 4) + g;
#pragma unroll
        for (int j = 0; j < WARP_GROUPS; ++j)
          multiply_add(u[j], a0, a1, a2, a3, stored(h0[column(j)]), stored(h1[column(j)]));
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int p = m + g + 8 * half;
        if (p < POOL_SIZE && multiplicity[current_pool + p] > 0) {
          if (POOL_HELD) {
#pragma unroll
            for (int j = 0; j < WARP_GROUPS; ++j) {
              float2 &row = two(pool + p * STRIDE + column(j) + 2 * q);
              float2 &update = two(pool_update + p * STRIDE + column(j) + 2 * q);
              float x = u[j][2 * half], y = u[j][2 * half + 1];
              row = float2{row.x + x, row.y + y};
              update = float2{update.x + x, update.y + y};
            }
          } else if (is_written(pool_row_max_rate[current_pool + p])) {
            add_step(pool_table + (long long)pool_word[current_pool + p] * DIM, damping(pool_row_max_rate[current_pool + p]), u, half);
          }
        }
      }
    }
  }

  // Add `factor` times row g + 8 * half of a fragment to a row of a table.
  __device__ void add_step(float *row, float factor, const float (&c)[WARP_GROUPS][4], int half) const {
#pragma unroll
    for (int j = 0; j < WARP_GROUPS; ++j)
      if (in_table(j))
        add_to_table(row + column(j) + 2 * q, factor * c[j][2 * half], factor * c[j][2 * half + 1]);
  }

  // Add the updates of the pool to the table, scaled by `damping`.
  __device__ void write_pool() const {
#pragma unroll 1
    for (int p = g; p < POOL_SIZE; p += 8)
      if (multiplicity[current_pool + p] > 0 && is_written(pool_row_max_rate[current_pool + p])) {
        float factor = damping(pool_row_max_rate[current_pool + p]);
#pragma unroll
        for (int j = 0; j < WARP_GROUPS; ++j) {
          float2 update = two(pool_update + p * STRIDE + column(j) + 2 * q);
          if (in_table(j))
            add_to_table(pool_table + (long long)pool_word[current_pool + p] * DIM + column(j) + 2 * q, factor * update.x,
                         factor * update.y);
        }
      }
  }

  // Store this warp's part of the squared lengths of the rows of a fragment.
  __device__ void store_squares(float *to, const float (&c)[WARP_GROUPS][4]) const {
    float sum = 0, sum8 = 0;
#pragma unroll
    for (int j = 0; j < WARP_GROUPS; ++j) {
      sum += c[j][0] * c[j][0] + c[j][1] * c[j][1];
      sum8 += c[j][2] * c[j][2] + c[j][3] * c[j][3];
    }
    for (int offset = 1; offset < 4; offset *= 2) {
      sum += __shfl_xor_sync(FULL_MASK, sum, offset);
      sum8 += __shfl_xor_sync(FULL_MASK, sum8, offset);
    }
    if (q == 0) {
      to[warp * TILE + g] = sum;
      to[warp * TILE + g + 8] = sum8;
    }
  }

  // Return the factor that clips the step of row k to norm MAX_STEP_NORM.
  static __device__ float clip_factor(const float *stored_squares, int k) {
    float square = sum_parts(stored_squares + k, TILE);
    return square > float(MAX_STEP_NORM * MAX_STEP_NORM) ? divide(float(MAX_STEP_NORM), square_root(square)) : 1.f;
  }

  // Compute the steps of the rows of tokens `left` to `left` + 15: sums over all targets before `seen` whose windows
  // contain the token.
  __device__ void sum_leaving(float (&e)[WARP_GROUPS][4], int left, int seen) const {
#pragma unroll 4
    for (int i = 0; i < NEAR; i += 8) {
      int t = left - REACH + i + q, distance = left + g - t;  // the first target, and its distance from row g
      Window window = t >= 0 && t < seen ? window_around(t) : Window{0, 0};
      Window window4 = t + 4 >= 0 && t + 4 < seen ? window_around(t + 4) : Window{0, 0};
      Number a0 = context_coefficient(window, t, distance), a1 = context_coefficient(window, t, distance + 8);
      Number a2 = context_coefficient(window4, t + 4, distance - 4);
      Number a3 = context_coefficient(window4, t + 4, distance + 4);
      const float *d0 = target_ring + slot(t + RING_ROWS) * STRIDE + g;
      const float *d1 = target_ring + slot(t + 4 + RING_ROWS) * STRIDE + g;
#pragma unroll
      for (int j = 0; j < WARP_GROUPS; ++j)
        multiply_add(e[j], a0, a1, a2, a3, stored(d0[column(j)]), stored(d1[column(j)]));
    }
  }

  // Write the rows of tokens `left` to `out` - 1, 16 at a time, and for skip-gram the rows of the targets, whose
  // gradients are d. All rows wait for a barrier, after which the lengths of their steps are known. `leaving` are the
  // first 16 rows.
  __device__ void leave(int left, int out, Rows leaving, const Rows &targets, const float (&d)[WARP_GROUPS][4]) {
    bool is_first = true;
    float *length = squares;
    do {
      float e[WARP_GROUPS][4] = {};
      int hit[2] = {-1, -1};  // row in the pool
      sum_leaving(e, left, first + count);
      store_squares(length, e);
      if (!CBOW && is_first) store_squares(target_squares, d);
      if (POOL_HELD && !CBOW) {
#pragma unroll 1
        for (int r = 0; r < TILE && left + r < out; ++r) {
          int found = find_in_pool(word_of(left + r));
          if (r == g) hit[0] = found;
          if (r == g + 8) hit[1] = found;
        }
      }
      __syncthreads();
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        int k = g + 8 * half;
        if (!CBOW && is_first && targets.word[half] >= 0 && is_written(targets.max_rate[half]))
          add_step(target_table + (long long)targets.word[half] * DIM,
                   clip_factor(target_squares, k) * damping(targets.max_rate[half]), d, half);
        if (leaving.word[half] >= 0) {
          float clip = clip_factor(length, k);
          if (hit[half] >= 0) {  // `write_pool` scales the rows of the pool
#pragma unroll
            for (int j = 0; j < WARP_GROUPS; ++j)
              for (int i = 0; i < 2; ++i) {  // several leaving rows may be the same row of the pool
                int at = hit[half] * STRIDE + column(j) + 2 * q + i;
                atomicAdd(pool + at, clip * e[j][2 * half + i]);
                atomicAdd(pool_update + at, clip * e[j][2 * half + i]);
              }
          } else if (is_written(leaving.max_rate[half])) {
            add_step(stream_table + (long long)leaving.word[half] * DIM, clip * damping(leaving.max_rate[half]), e,
                     half);
          }
        }
      }
      left += TILE;
      leaving = look_up(left, out, stream_max_rate);
      length = squares + (length == squares ? WARPS * TILE : 0);  // a slow warp may still read the other half
      is_first = false;
    } while (left < out);
  }

  // Train a tile. Read the rows of tokens `entered` to `reach` - 1 and write those of tokens `left` to `out` - 1. The
  // chunk has n tokens.
  __device__ void train_tile(int entered, int reach, int left, int out, int n, const Real *cbow_grad_scale) {
    float h[WARP_GROUPS][4] = {}, own[WARP_GROUPS][4] = {}, d[WARP_GROUPS][4] = {};
    enter(entered, reach);
    const Rows targets = look_up(first, first + count, target_max_rate);
    const Rows leaving = look_up(left, out, stream_max_rate);
    read_targets(CBOW ? own : h, targets);
    prefetch_rows(reach, n);
    Window window = window_of(g), window8 = window_of(g + 8);
    wait_for_rows();
    __syncwarp();
    if (CBOW) average_contexts(h, window, window8);
    store_hidden(h);
    score(h, own);
    __syncthreads();
    compute_coefficients();
    __syncthreads();
    add_gradients(d, window, window8);
    if (CBOW) store_gradients(d, h, own, targets, cbow_grad_scale);
    __syncwarp();
    update_pool();
    __syncwarp();
    leave(left, out, leaving, targets, d);
    __syncwarp();
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) cbow_ns(const Arguments arguments) {
  SHARED_MEMORY(memory);
  Block<true> block(memory);
  block.run(block, arguments);
}

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) skipgram_ns(const Arguments arguments) {
  SHARED_MEMORY(memory);
  Block<false> block(memory);
  block.run(block, arguments);
}
