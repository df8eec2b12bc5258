// Tiles of any size in float32 or float64. This file follows word2vec.cu.
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
// Subwords. When a token's input vector is read, a warp computes the mean of the rows of its word. When its step is
// written, the warp adds the step to each of these rows. In between, nothing differs from other rows.
//
// Latency. A tile is a chain of dependent steps, and a block works on one tile at a time, so most of its time is
// latency. The kernel therefore issues independent reads together. Reads of the tables go directly to shared memory
// (`fetch_row`), and a warp issues all of them before it waits. They bypass the first-level cache, which does not see
// the writes of other blocks. Sums over a window read WINDOW_GROUP rows at a time and multiply rows outside by zero.

constexpr int ROW_BYTES = DIM * (int)sizeof(Real);
constexpr int BAND = 2 * REACH + 1;                  // tokens that the window of a target can reach
constexpr int ROW_STEPS = (DIM + 127) / 128;         // steps of a warp along a row, each of 128 columns
constexpr int WINDOW_GROUP = ROW_STEPS > 2 ? 2 : 4;  // rows of a window that are read together

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
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (column(step, i, lane) < DIM) row[column(step, i, lane)] = v.x[i];
#endif
}

// Start to copy a row of a table to shared memory. All threads can read the row after `wait_for_rows` and a barrier.
__device__ inline void fetch_row(Real *to, const Real *row, int lane) {
#pragma unroll
  for (int byte = 16 * lane; byte < ROW_BYTES; byte += 512) fetch((char *)to + byte, (const char *)row + byte);
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

// Read a lane's columns of a row of a table, bypassing the first-level cache. Instead of columns beyond the row, it reads
// others, because a branch would prevent the overlap of several rows.
__device__ inline Four load_from_table(const Real *row, int step, int lane) {
#if VECTOR_ATOMICS
  float4 x = __ldcg((const float4 *)(row + (column(step, 0, lane) < DIM ? column(step, 0, lane) : 0)));
  return Four{{x.x, x.y, x.z, x.w}};
#else
  Four v;
#pragma unroll
  for (int i = 0; i < 4; ++i) v.x[i] = __ldcg(row + (column(step, i, lane) < DIM ? column(step, i, lane) : 0));
  return v;
#endif
}

// Prefetch a row into the second-level cache.
__device__ inline void prefetch_row(const Real *row, int lane) {
  if (lane * 128 < ROW_BYTES) prefetch((const char *)row + 128 * lane);
}

// ---- reductions over a warp ----

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

// Return the factor that clips a step to norm MAX_STEP_NORM. The values of `square` in the lanes add up to the squared
// norm of the step.
__device__ inline Real clip_factor(Real square) {
  square = warp_sum(square);
  return square > Real(MAX_STEP_NORM * MAX_STEP_NORM) ? Real(MAX_STEP_NORM) / square_root(square) : Real(1);
}

// ---- input vectors with subwords ----

constexpr int SUBWORDS_TOGETHER = 8;  // rows of a word that are read together

// Store the mean of the rows of a word in shared memory. Prefetch the first 32 rows of `ahead`, a word that will be read
// later, or -1. One warp calls this function.
__device__ inline void read_word(const Schedule &block, Real *to, const Real *table, int word, int ahead) {
  const int lane = block.lane;
  const long long begin = block.subword_starts[word], end = block.subword_starts[word + 1];
  if (ahead >= 0) {
    const long long k = block.subword_starts[ahead] + lane;
    if (k < block.subword_starts[ahead + 1]) {
      const char *row = (const char *)(table + (long long)block.subword_rows[k] * DIM);
      for (int byte = 0; byte < ROW_BYTES; byte += 128) prefetch(row + byte);
    }
  }
  const Real share = divide(Real(1), Real(end - begin));
#pragma unroll 1
  for (int q = 0; q < ROW_STEPS; ++q) {
    Four sum = zero();
#pragma unroll 1
    for (long long base = begin; base < end; base += 32) {  // each lane looks up one row
      const int rows = end - base < 32 ? (int)(end - base) : 32;
      const int own = block.subword_rows[base + (lane < rows ? lane : 0)];
#pragma unroll 1
      for (int k = 0; k < rows; k += SUBWORDS_TOGETHER) {
        Four v[SUBWORDS_TOGETHER];
#pragma unroll
        for (int j = 0; j < SUBWORDS_TOGETHER; ++j)
          v[j] = load_from_table(table + (long long)__shfl_sync(FULL_MASK, own, k + j) * DIM, q, lane);
#pragma unroll
        for (int j = 0; j < SUBWORDS_TOGETHER; ++j) add(sum, k + j < rows ? 1 : 0, v[j]);
      }
    }
    for (int i = 0; i < 4; ++i) sum.x[i] *= share;
    store(to, q, lane, sum);
  }
}

// Add `factor` times a step to each row of a word, scaled by `damping`. One warp calls this function.
__device__ inline void add_to_word(const Schedule &block, Real *table, const Real *max_rates, int word, Real factor,
                                   const Four (&step)[ROW_STEPS]) {
  const int lane = block.lane;
  const long long begin = block.subword_starts[word], end = block.subword_starts[word + 1];
#pragma unroll 1
  for (long long base = begin; base < end; base += 32) {  // each lane looks up one row
    const int rows = end - base < 32 ? (int)(end - base) : 32;
    const int own = lane < rows ? block.subword_rows[base + lane] : 0;
    const Real max_rate = lane < rows ? max_rates[own] : 0;
    const Real own_factor = Schedule::is_written(max_rate) ? factor * block.damping(max_rate) : Real(0);
#pragma unroll 2
    for (int k = 0; k < rows; ++k) {
      Real *row = table + (long long)__shfl_sync(FULL_MASK, own, k) * DIM;
      const Real row_factor = __shfl_sync(FULL_MASK, own_factor, k);
#pragma unroll
      for (int q = 0; (!FREEZE || row_factor != 0) && q < ROW_STEPS; ++q) {
        Four scaled = zero();
        add(scaled, row_factor, step[q]);
        add_to_table(row, q, lane, scaled);
      }
    }
  }
}

// ---- one block ----

template <bool CBOW> struct Block : Schedule {
  static constexpr bool IS_CBOW = CBOW;
  static constexpr bool STREAM_OF_WORDS = SUBWORDS && CBOW;    // whether the rows of the stream are means of rows
  static constexpr bool TARGETS_OF_WORDS = SUBWORDS && !CBOW;  // whether the targets' own rows are
  static constexpr int TARGET_GROUP = TILE >= 3 ? 4 : TILE;  // targets that are scored together
  static constexpr int PADDED_TILE = (TILE + TARGET_GROUP - 1) / TARGET_GROUP * TARGET_GROUP;
  static constexpr int WARP_POOL_ROWS = (POOL_SIZE + WARPS - 1) / WARPS;  // rows of the pool for each warp
  static constexpr int POOL_GROUP =                                       // rows of the pool that are scored together
      WARP_POOL_ROWS >= 5 ? 8 : WARP_POOL_ROWS >= 3 ? 4 : WARP_POOL_ROWS;

  // Shared memory. Kept token t has row `slot(t)` of a ring. Target k of the tile is kept token first + k.
  Real *ring;               // (RING_ROWS, D): rows of the stream
  Real *target_ring;        // (RING_ROWS, D): CBOW: gradients of the targets; skip-gram: their hidden vectors
  Real *hidden;             // (PADDED_TILE, D): CBOW: hidden vectors of the targets
  Real *partial_grads;      // (WARPS + 1, PADDED_TILE, D): parts of the targets' gradients: one from the pool rows of
                            // each warp and, last, one from the positives
  Real *pool;               // (POOL_SIZE, D)
  Real *pool_update;        // (POOL_SIZE, D): with POOL_HELD: updates of the pool since it was read
  Real *pool_coefficient;   // (POOL_SIZE, PADDED_TILE): coefficient of each pool row and target
  Real *coefficient;        // CBOW: (PADDED_TILE,): coefficient of each target and its own row
                            // skip-gram: (RING_ROWS, BAND): of target t and context i, in column i - t + REACH
  int *target_word;         // (PADDED_TILE,): CBOW: word id of the target, or ~id if its row is in the pool

  __device__ Block(double *memory) {
    ring = (Real *)memory;
    target_ring = ring + RING_ROWS * DIM;
    hidden = target_ring + RING_ROWS * DIM;
    partial_grads = hidden + (CBOW ? PADDED_TILE * DIM : 0);
    pool = partial_grads + (WARPS + 1) * PADDED_TILE * DIM;
    pool_update = pool + POOL_SIZE * DIM;
    chunk = (long long *)(pool_update + (POOL_HELD ? POOL_SIZE * DIM : 0));
    near_window = (Bounds *)(chunk + 3);
    near_word = (int *)(near_window + TOKEN_ROWS);
    near_position = near_word + TOKEN_ROWS;
    multiplicity = (Real *)(near_position + TOKEN_ROWS);
    pool_row_max_rate = multiplicity + 2 * POOL_SIZE;
    pool_coefficient = pool_row_max_rate + 2 * POOL_SIZE;
    coefficient = pool_coefficient + POOL_SIZE * PADDED_TILE;
    pool_word = (int *)(coefficient + (CBOW ? PADDED_TILE : RING_ROWS * BAND));
    target_word = pool_word + 2 * POOL_SIZE;
    warp_totals = target_word + (CBOW ? PADDED_TILE : 0);
    current_pool = 0;
    between_chunks = (double *)partial_grads;
#pragma unroll 1
    for (Real *x = ring + thread; x < (Real *)pool_word; x += THREADS) *x = 0;  // because padding must be finite
    __syncthreads();
  }

  __device__ const Real *target_row(int k) const {
    return CBOW ? hidden + k * DIM : target_ring + slot(first + k) * DIM;
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
      fetch_row(pool + p * DIM, pool_table + (long long)pool_word[current_pool + p] * DIM, lane);
      if (POOL_HELD)
        for (int q = 0; q < ROW_STEPS; ++q) store(pool_update + p * DIM, q, lane, zero());
    }
  }

  // Add the updates of this warp's rows of the pool to the table, scaled by `damping`.
  __device__ void write_pool() {
#pragma unroll 1
    for (int p = warp * WARP_POOL_ROWS; p < warp * WARP_POOL_ROWS + warp_pool_rows(); ++p)
      if (multiplicity[current_pool + p] > 0 && is_written(pool_row_max_rate[current_pool + p]))
        for (int q = 0; q < ROW_STEPS; ++q) {
          Four step = zero();
          add(step, damping(pool_row_max_rate[current_pool + p]), load(pool_update + p * DIM, q, lane));
          add_to_table(pool_table + (long long)pool_word[current_pool + p] * DIM, q, lane, step);
        }
  }

  // Read the rows of tokens `begin` to `end` - 1 into the ring.
  __device__ void enter(int begin, int end, int n) {
#pragma unroll 1
    for (int i = begin + (warp + WARPS - begin % WARPS) % WARPS; i < end; i += WARPS) {
      if (STREAM_OF_WORDS) {
        const int ahead = i + PREFETCH_DISTANCE < n ? word_of(i + PREFETCH_DISTANCE) : -1;
        read_word(*this, ring + slot(i) * DIM, stream_table, word_of(i), ahead);
        continue;
      }
      if (i + PREFETCH_DISTANCE < n)
        prefetch_row(stream_table + (long long)word_of(i + PREFETCH_DISTANCE) * DIM, lane);
      Real *row = ring + slot(i) * DIM;
      int hit = POOL_HELD && !CBOW ? find_in_pool(word_of(i)) : -1;
      if (hit >= 0)
        for (int q = 0; q < ROW_STEPS; ++q) store(row, q, lane, load(pool + hit * DIM, q, lane));
      else
        fetch_row(row, stream_table + (long long)word_of(i) * DIM, lane);
    }
  }

  // Read the targets' own rows. For CBOW these are rows of W_out, unless they are in the pool. For skip-gram they are
  // rows of W_in.
  __device__ void read_targets(int n) {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k, own = word_of(t);
      if (TARGETS_OF_WORDS) {
        const int ahead = t + PREFETCH_DISTANCE < n ? word_of(t + PREFETCH_DISTANCE) : -1;
        read_word(*this, target_ring + slot(t) * DIM, target_table, own, ahead);
        continue;
      }
      if (t + PREFETCH_DISTANCE < n)
        prefetch_row(target_table + (long long)word_of(t + PREFETCH_DISTANCE) * DIM, lane);
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
      int t = first + k, begin = bounds_of(t).begin, end = bounds_of(t).end;
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
      int t = first + k, begin = bounds_of(t).begin, end = bounds_of(t).end;
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
          of_context[i] = i == t ? 0 : pair_coefficient(true, 1, score);
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
  __device__ Real pool_pair_coefficient(int k, int p, Real score) {
    int t = first + k, wanted = pool_word[current_pool + p];
    Real weight = noise_weight * multiplicity[current_pool + p];
    if (k >= count || weight == 0) return 0;
    bool is_target = CBOW && target_word[k] == ~wanted;  // the row is the positive, not a negative
    if (is_target) {
      weight = 1;
    } else if (!CBOW) {
      int begin = bounds_of(t).begin, end = bounds_of(t).end;
      bool is_context = false;
#pragma unroll 1
      for (int base = begin; base < end; base += WINDOW_GROUP)
#pragma unroll
        for (int i = base; i < base + WINDOW_GROUP; ++i)
          is_context |= i < end && i != t && word_of(i) == wanted;
      if (is_context) return 0;
      weight *= end - begin - 1;
    }
    return pair_coefficient(is_target, weight, score);
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
          pool_coefficient[(begin + r) * PADDED_TILE + k] = pool_pair_coefficient(k, begin + r, score);
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
            const Real factor = POOL_HELD ? Real(1) : damping(pool_row_max_rate[current_pool + p]);
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
            } else if (is_written(pool_row_max_rate[current_pool + p])) {
              // adds zero for a repeated word, because a branch would prevent the overlap of several rows
              add_to_table(pool_table + (long long)pool_word[current_pool + p] * DIM, q, lane, step);
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

  // CBOW: store the gradient that each target passes to its contexts, and update the targets' own rows.
  __device__ void store_gradients(const Real *cbow_grad_scale) {
#pragma unroll 1
    for (int k = warp; k < count; k += WARPS) {
      int t = first + k;
      Real scale = cbow_grad_scale[bounds_of(t).end - bounds_of(t).begin - 1];
      Real g = target_word[k] >= 0 ? coefficient[k] * damping(target_max_rate[target_word[k]]) : Real(0);
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four d = zero(), step = zero();
        add(d, scale, gradient(k, q));
        store(target_ring + slot(t) * DIM, q, lane, d);
        if (target_word[k] >= 0 && is_written(target_max_rate[target_word[k]])) {
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
      Real square = 0, max_rate = TARGETS_OF_WORDS ? Real(1) : target_max_rate[word_of(first + k)];
      Real damped = damping(max_rate);
#pragma unroll
      for (int q = 0; q < ROW_STEPS; ++q) {
        d[q] = gradient(k, q);
        square += dot(d[q], d[q]);
      }
      if (TARGETS_OF_WORDS) {
        add_to_word(*this, target_table, target_max_rate, word_of(first + k), clip_factor(square), d);
        continue;
      }
      Real factor = clip_factor(square) * damped;
#pragma unroll
      for (int q = 0; is_written(max_rate) && q < ROW_STEPS; ++q) {
        Four step = zero();
        add(step, factor, d[q]);
        add_to_table(target_table + (long long)word_of(first + k) * DIM, q, lane, step);
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
      // read early, because of the latency
      Real max_rate = STREAM_OF_WORDS ? Real(1) : stream_max_rate[word_of(i)], damped = damping(max_rate);
#pragma unroll 1
      for (int base = i - REACH; base <= i + REACH; base += 32) {  // each lane examines one target
        int t = base + lane;
        bool near = t >= 0 && t <= i + REACH && t < seen && t != i;
        Bounds window = near ? bounds_of(t) : Bounds{0, 0};
        unsigned reaching = __ballot_sync(FULL_MASK, window.begin <= i && i < window.end);
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
      if (STREAM_OF_WORDS) {
        add_to_word(*this, stream_table, stream_max_rate, word_of(i), factor, steps);
        continue;
      }
      int hit = POOL_HELD && !CBOW ? find_in_pool(word_of(i)) : -1;
      if (hit < 0) factor *= damped;  // `write_pool` scales the rows of the pool
#pragma unroll
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four step = zero();
        add(step, factor, steps[q]);
        if (hit >= 0) {
          atomic_add_row(pool + hit * DIM, q, lane, step);
          atomic_add_row(pool_update + hit * DIM, q, lane, step);
        } else if (is_written(max_rate)) {
          add_to_table(stream_table + (long long)word_of(i) * DIM, q, lane, step);
        }
      }
    }
  }

  // Train a tile. Read the rows of tokens `entered` to `reach` - 1 and write those of tokens `left` to `out` - 1. The
  // chunk has n tokens.
  __device__ void train_tile(int entered, int reach, int left, int out, int n, const Real *cbow_grad_scale) {
    enter(entered, reach, n);
    read_targets(n);
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
      store_gradients(cbow_grad_scale);
      __syncthreads();
    } else {
      update_targets();
    }
    leave(left, out, first + count);
    __syncthreads();
  }
};

#ifndef PATH_GROUP  // word2vec_hs.cu, which may follow, defines its own kernels

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

#endif
