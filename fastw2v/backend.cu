// Kernels of fastw2v/backend.py for CuPy arrays. Most of them read, add or write whole rows of tables.
//
// CuPy's own kernels compute the address of each element from 64-bit indices. These compute it once for each row. The
// kernels without rows replace ten or more launches each.
//
// Parallel axis. A warp processes one row at a time, and a lane PACKED adjacent columns of it. In `mark_rows` and the
// kernels without rows, a thread processes one element at a time.
//
// Contract. All arrays are contiguous. Tables have shape (V, D) with D = `columns`. Ids are below V, which is not
// checked. Negative ids are padding: their rows read as zeros and are never written. Additions are atomic, so their
// order varies.
//
// Macros. The host defines THREADS (of a block, a multiple of 32), PACKED (columns that a lane moves at once: 1, or 16
// bytes if D is a multiple of them and all rows are aligned), DOUBLE for float64, and LONG_IDS for ids of type int64.
// There is no #include, because NVRTC needs no headers.

#ifdef DOUBLE
typedef double Real;
#else
typedef float Real;
#endif
#ifdef LONG_IDS
typedef long long Id;
#else
typedef int Id;
#endif
typedef long long Size;

#ifndef VECTOR_ATOMICS  // whether one atomic operation adds four columns (from compute capability 9.0 on)
#if !defined(DOUBLE) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define VECTOR_ATOMICS 1
#else
#define VECTOR_ATOMICS 0
#endif
#endif

#define FULL_MASK 0xffffffffu
constexpr int GROUP = 4;  // rows of a weighted sum that are read together

struct alignas(PACKED * sizeof(Real)) Columns {
  Real x[PACKED];
};

__device__ inline int lane() { return threadIdx.x % 32; }
__device__ inline Size first_thread() { return (Size)blockIdx.x * THREADS + threadIdx.x; }
__device__ inline Size all_threads() { return (Size)gridDim.x * THREADS; }
__device__ inline Size first_row() { return first_thread() / 32; }
__device__ inline Size all_rows() { return all_threads() / 32; }

__device__ inline Columns load(const Real *from) { return *(const Columns *)from; }
__device__ inline void store(Real *to, const Columns &v) { *(Columns *)to = v; }

__device__ inline Columns zeros() {
  Columns v;
  for (int i = 0; i < PACKED; ++i) v.x[i] = 0;
  return v;
}

template <typename T> __device__ inline T sum_over_warp(T x) {
  for (int lanes = 16; lanes; lanes /= 2) x += __shfl_xor_sync(FULL_MASK, x, lanes);
  return x;
}

// out[i] = table[ids[i]]; out has shape (n, D).
extern "C" __global__ void take_rows(Real *out, const Real *table, const Id *ids, Size n, Size columns) {
  for (Size i = first_row(); i < n; i += all_rows()) {
    const Id id = ids[i];
    for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED)
      store(out + i * columns + c, id < 0 ? zeros() : load(table + id * columns + c));
  }
}

// table[ids[i]] = rows[i]; rows has shape (n, D).
extern "C" __global__ void set_rows(Real *table, const Id *ids, const Real *rows, Size n, Size columns) {
  for (Size i = first_row(); i < n; i += all_rows()) {
    const Id id = ids[i];
    if (id < 0) continue;
    for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED)
      store(table + id * columns + c, load(rows + i * columns + c));
  }
}

// table[ids[i]] += weights[i] * rows[i / repeats]; rows has shape (n / repeats, D). Without weights, each weight is 1.
// Without `places`, the table's row of an id is the id itself, otherwise places[id].
extern "C" __global__ void add_rows(Real *table, const Id *ids, const Real *rows, const Real *weights,
                                    const int *places, Size n, Size repeats, Size columns) {
  for (Size i = first_row(); i < n; i += all_rows()) {
    const Id id = ids[i];
    const Real weight = weights ? weights[i] : 1;
    if (id < 0 || weight == 0) continue;
    Real *to = table + (places ? places[id] : (Size)id) * columns;
    const Real *from = rows + i / repeats * columns;
#if VECTOR_ATOMICS && PACKED == 4
    for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED) {
      const Columns v = load(from + c);
      atomicAdd((float4 *)(to + c), float4{weight * v.x[0], weight * v.x[1], weight * v.x[2], weight * v.x[3]});
    }
#else  // each operation of the warp covers contiguous memory
    for (Size c = lane(); c < columns; c += 32) atomicAdd(to + c, weight * from[c]);
#endif
  }
}

// out[b] = sum over k of weights[b, k] * table[ids[b, k]]; ids has shape (n, count), and out has shape (n, D).
extern "C" __global__ void weighted_sums(Real *out, const Real *table, const Id *ids, const Real *weights, Size n,
                                         Size count, Size columns) {
  for (Size b = first_row(); b < n; b += all_rows()) {
    for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED) {
      Columns sum = zeros();
      for (Size first = 0; first < count; first += GROUP) {
        Real weight[GROUP];
        Columns row[GROUP];
#pragma unroll
        for (int j = 0; j < GROUP; ++j) {
          const Size k = b * count + first + j;
          const Id id = first + j < count ? ids[k] : -1;
          weight[j] = id < 0 ? 0 : weights[k];
          row[j] = weight[j] == 0 ? zeros() : load(table + id * columns + c);
        }
#pragma unroll
        for (int j = 0; j < GROUP; ++j)
          for (int i = 0; i < PACKED; ++i) sum.x[i] += weight[j] * row[j].x[i];
      }
      store(out + b * columns + c, sum);
    }
  }
}

// out[i] = h[i / repeats] . table[ids[i]]; h has shape (n / repeats, D), and out has shape (n,).
extern "C" __global__ void row_dots(Real *out, const Real *table, const Id *ids, const Real *h, Size n, Size repeats,
                                    Size columns) {
  for (Size i = first_row(); i < n; i += all_rows()) {
    const Id id = ids[i];
    Real sum = 0;
    if (id >= 0)
      for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED) {
        const Columns v = load(table + id * columns + c), w = load(h + i / repeats * columns + c);
        for (int j = 0; j < PACKED; ++j) sum += v.x[j] * w.x[j];
      }
    sum = sum_over_warp(sum);
    if (lane() == 0) out[i] = sum;
  }
}

// ---- the sum of the rows of each id, without sorting ----
//
// 1. `mark_rows` writes the index of each entry to last[id]. Whichever write comes last decides which entry represents
//    the id. `last` needs no initial values.
// 2. `number_rows` numbers the ids by their representatives, in any order, and sets the sum of each id to zeros.
// 3. `add_rows` adds to the sums, with the numbers as `places`.
// 4. `subtract_rows` subtracts the sums from the table.
//
// If there are several arrays of entries, `first` is the index of an array's first entry among all entries.

extern "C" __global__ void mark_rows(int *last, int *count, const Id *ids, Size first, Size n) {
  if (first_thread() == 0) *count = 0;
  for (Size i = first_thread(); i < n; i += all_threads())
    if (ids[i] >= 0) last[ids[i]] = (int)(first + i);
}

// distinct[k] is the id with the number k, places[id] is its number, and sums[k] is set to zeros.
extern "C" __global__ void number_rows(Real *sums, Id *distinct, int *places, int *count, const int *last,
                                       const Id *ids, Size first, Size n, Size columns) {
  for (Size i = first_row(); i < n; i += all_rows()) {
    const Id id = ids[i];
    if (id < 0 || last[id] != first + i) continue;
    const int number = sum_over_warp(lane() == 0 ? atomicAdd(count, 1) : 0);
    if (lane() == 0) {
      distinct[number] = id;
      places[id] = number;
    }
    for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED) store(sums + number * columns + c, zeros());
  }
}

// table[distinct[k]] -= rate * sums[k], with sums scaled down to a norm of at most max_norm.
extern "C" __global__ void subtract_rows(Real *table, const Id *distinct, const Real *sums, const int *count,
                                         double rate, double max_norm, Size columns) {
  for (Size k = first_row(); k < *count; k += all_rows()) {
    const Real *sum = sums + k * columns;
    Real square = 0;
    for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED) {
      const Columns v = load(sum + c);
      for (int i = 0; i < PACKED; ++i) square += v.x[i] * v.x[i];
    }
    const Real norm = sqrt(sum_over_warp(square)), limit = (Real)max_norm;
    const Real step = (Real)rate * (norm > limit ? limit / norm : 1);
    Real *to = table + distinct[k] * columns;
    for (Size c = PACKED * lane(); c < columns; c += 32 * PACKED) {
      const Columns v = load(sum + c);
      Columns w = load(to + c);
      for (int i = 0; i < PACKED; ++i) w.x[i] -= step * v.x[i];
      store(to + c, w);
    }
  }
}

// loss = weight * (softplus(score) - label * score), and dscore = weight * (sigmoid(score) - label), its derivative.
// All arrays have shape (n,). Without `labels`, the label is `label`.
extern "C" __global__ void cross_entropy(Real *loss, Real *dscore, const Real *scores, const Real *labels,
                                         const Real *weights, double label, Size n) {
  for (Size i = first_thread(); i < n; i += all_threads()) {
    const Real score = scores[i], target = labels ? labels[i] : (Real)label, weight = weights[i];
    const Real tail = exp(score < 0 ? score : -score), sigmoid = (score >= 0 ? 1 : tail) / (1 + tail);
    loss[i] = weight * ((score > 0 ? score : 0) + log1p(tail) - target * score);
    dscore[i] = weight * (sigmoid - target);
  }
}

// ---- weights ----

// weights[b, k] = 1 / C and shares[b, k] = C^-exponent for the C ids of b that are not padding, and 0 at padding;
// counts[b] = C. The ids have shape (n, K).
extern "C" __global__ void context_weights(Real *weights, Real *shares, int *counts, const Id *ids, double exponent,
                                           Size n, Size K) {
  for (Size b = first_thread(); b < n; b += all_threads()) {
    int count = 0;
    for (Size k = b * K; k < (b + 1) * K; ++k) count += ids[k] >= 0;
    const Real weight = (Real)1 / (count ? count : 1), share = pow((Real)(count ? count : 1), (Real)-exponent);
    for (Size k = b * K; k < (b + 1) * K; ++k) {
      weights[k] = ids[k] < 0 ? 0 : weight;
      shares[k] = ids[k] < 0 ? 0 : share;
    }
    counts[b] = count;
  }
}

// Add the number of rows of `ids`, shape (n, K), that are not all padding to *count.
extern "C" __global__ void count_rows(int *count, const Id *ids, Size n, Size K) {
  for (Size first = first_row() * 32; first < n; first += all_threads()) {
    const Size b = first + lane();
    int present = 0;
    for (Size k = b * K; b < n && k < (b + 1) * K; ++k) present |= ids[k] >= 0;
    present = sum_over_warp(present);
    if (lane() == 0) atomicAdd(count, present);
  }
}

// The weights of the positives, shape (n, C), and of the negatives, shape (n, P), of targets with ids of shape (n, C).
// Every L targets share a row of `pool`, shape (n / L, P). The weight of a positive is 1 / T with T = *count, and that
// of a negative is scale / T for each positive, unless the negative is a positive of the target.
extern "C" __global__ void pool_weights(Real *positive, Real *negative, const Id *ids, const Id *pool,
                                        const int *count, double scale, Size n, Size L, Size C, Size P) {
  const Real all = *count ? *count : 1;
  for (Size i = first_thread(); i < n * P; i += all_threads()) {
    const Size b = i / P;
    const Id noise = pool[b / L * P + i % P];
    int positives = 0;
    bool own = false;
    for (Size k = b * C; k < (b + 1) * C; ++k) {
      positives += ids[k] >= 0;
      own |= ids[k] == noise;
      if (i % P == 0) positive[k] = ids[k] < 0 ? 0 : 1 / all;
    }
    negative[i] = own ? 0 : positives * (Real)scale / all;
  }
}
