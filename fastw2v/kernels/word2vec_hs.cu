// Hierarchical softmax, in float32 or float64. This file follows word2vec.cu and word2vec_rows.cu.
//
// Formula. Let n be the inner nodes on the path from the root of the Huffman tree to a target, and d_n their codes. The
// loss of the target is
//   CBOW:       -sum_n log sigmoid((1 - 2 d_n) h . W_nodes[n]),                    h = mean of W_in[c]
//   skip-gram:  -sum_c sum_n log sigmoid((1 - 2 d_n) W_in[c] . W_nodes[n])
// Each context of skip-gram predicts the target, so the rows of a path are read and written once for all contexts.
//
// Parallel axis. As in word2vec.cu, a block trains a chunk from left to right, but one target at a time. With
// NEGATIVE_SAMPLING, it first trains the chunk with negative sampling (`Block`).
//
// Contract. That of word2vec.cu. All nodes of a path are scored before they are updated. The loss of every target is
// measured. The block trains private copies of the HELD_NODES nodes nearest to the root, which have the largest numbers.
// It reads them at the first target of each HELD_TOKENS tokens of the corpus, and writes them after the last: it adds
// their updates, scaled by `damping`, to the table. Other nodes are read and written for every target.
//
// Division of work. A path is processed in groups of PATH_GROUP nodes. Warp w reads, scores and updates the nodes w,
// w + WARPS, ... of a group, and then the steps of the contexts w, w + WARPS, ... It processes whole rows, as in
// word2vec_rows.cu. The last warp reads the row that enters the windows and writes the row that leaves them.
//
// Memory. The rows of contexts, which are rows of W_in in both models, are in a ring buffer. Their steps accumulate in
// a second one, because the nodes change from one target to the next. Each node is read when its target is trained, and
// written with one atomic addition per target, whatever the number of contexts.
//
// The root is on all paths, so atomic additions to it would limit the speed of the device. The nodes nearest to the root
// are therefore held in shared memory. Their ancestors are nearer still, so they come first on a path. Before a target is
// trained, a held row is copied to the buffer `nodes` like the row of any other node, and the contexts' steps are
// computed from this copy. A node has the same position on all paths, so the same lanes always read and update its row,
// and no barrier is needed in between.
//
// Latency. A target is a chain of dependent steps, and the first is to find its nodes. While a group of nodes is being
// read, warp 0 looks up the next group (`look_up`), and the last warp writes the row that left the windows after the
// target before.

constexpr int CONTEXTS_TOGETHER = 4;  // contexts of skip-gram that are scored together
constexpr int WINDOW = (2 * REACH + CONTEXTS_TOGETHER - 1) / CONTEXTS_TOGETHER * CONTEXTS_TOGETHER;  // contexts, padded
constexpr int WARP_NODES = (PATH_GROUP + WARPS - 1) / WARPS;                                         // of each warp
constexpr int PADDED_WARP_NODES =
    WARP_NODES > 16 ? 32 : WARP_NODES > 8 ? 16 : WARP_NODES > 4 ? 8 : WARP_NODES > 2 ? 4 : WARP_NODES;
constexpr int NODES_TOGETHER = WARP_NODES > 8 ? 8 : WARP_NODES > 2 ? 4 : WARP_NODES;  // scored together for skip-gram
constexpr int CACHED_NODES = 8192;  // nodes nearest to the root, which stay in the second-level cache anyway

static_assert(PATH_GROUP <= 32, "a lane looks up one node");
static_assert(CACHED_NODES >= HELD_NODES, "held nodes are not prefetched");

template <bool CBOW> struct TreeBlock : Schedule {
  static constexpr bool IS_CBOW = CBOW;

  // Shared memory. Kept token t has row `slot(t)` of a ring. Two buffers describe the current and the next group.
  double *memory;       // all of it
  Real *ring;           // (RING_ROWS, D): rows of W_in
  Real *steps;          // (RING_ROWS, D): sums of the steps of these rows
  Real *nodes;          // (PATH_GROUP, D): rows of W_nodes
  Real *held;           // (HELD_NODES, D): rows of the held nodes, from node `first_held` on
  Real *held_start;     // (HELD_NODES, D): the same rows as they were read from W_nodes
  Real *coefficient;    // CBOW: (PATH_GROUP,): coefficient of each node
                        // skip-gram: (PATH_GROUP, WINDOW): of each node and context
  Real *node_max_rate;  // (2, PATH_GROUP): max_rate of the nodes
  int *node_entry;      // (2, PATH_GROUP): the nodes, with their codes, as in `Arguments::path`
  int *group_size;      // (2,): number of nodes, or PATH_GROUP + 1 if the path has more nodes after this group

  int first_held;  // first held node: the root is HELD_NODES - 1 nodes after it. Negative if there are fewer nodes

  // The next group to look up, in warp 0.
  int path_target;                 // its target
  long long path_begin, path_end;  // the nodes of this target that have not been looked up

  __device__ TreeBlock(double *memory) : memory(memory) {
    ring = (Real *)memory;
    steps = ring + RING_ROWS * DIM;
    nodes = steps + RING_ROWS * DIM;
    held = nodes + PATH_GROUP * DIM;
    held_start = held + HELD_NODES * DIM;
    coefficient = held_start + HELD_NODES * DIM;
    node_max_rate = coefficient + PATH_GROUP * (CBOW ? 1 : WINDOW);
    node_entry = (int *)(node_max_rate + 2 * PATH_GROUP);
    group_size = node_entry + 2 * PATH_GROUP;
    warp_totals = group_size + 2;
    between_chunks = (double *)nodes;
  }

  // Look up the next group of nodes, and prefetch those that may not be in the cache.
  __device__ void look_up(int buffer, int n, const Arguments &arguments) {
    if (warp != 0) return;
    const int size = path_end - path_begin > PATH_GROUP ? PATH_GROUP + 1 : (int)(path_end - path_begin);
    if (lane == 0) group_size[buffer] = size;
    if (lane < PATH_GROUP && lane < size) {
      int entry = arguments.path[path_begin + lane], node = entry >> 1;
      node_entry[buffer * PATH_GROUP + lane] = entry;
      node_max_rate[buffer * PATH_GROUP + lane] = arguments.max_rate_nodes[node];
      if (node < arguments.words - CACHED_NODES)
        for (int byte = 0; byte < ROW_BYTES; byte += 128)
          prefetch((const char *)(arguments.W_nodes + (long long)node * DIM) + byte);
    }
    path_begin += PATH_GROUP;
    if (size <= PATH_GROUP) find_path(path_target + 1, n, arguments);
  }

  // Set the next group to look up to the first of target t. There is none at the end of the chunk.
  __device__ void find_path(int t, int n, const Arguments &arguments) {
    path_target = t;
    path_begin = t < n ? arguments.path_start[word[t]] : 0;
    path_end = t < n ? arguments.path_start[word[t] + 1] : 0;
  }

  // Read the row of token i into the ring. One warp calls this function.
  __device__ void enter(int i, int n, const Real *W_in) {
    if (SUBWORDS) {
      const int ahead = i + PREFETCH_DISTANCE < n ? word[i + PREFETCH_DISTANCE] : -1;
      read_word(*this, ring + slot(i) * DIM, W_in, word[i], ahead);
      return;
    }
    if (i + PREFETCH_DISTANCE < n) prefetch_row(W_in + (long long)word[i + PREFETCH_DISTANCE] * DIM, lane);
    fetch_row(ring + slot(i) * DIM, W_in + (long long)word[i] * DIM, lane);
  }

  // Read this warp's nodes of a group. The held nodes are copied last, because the others take longer to arrive.
  __device__ void read_nodes(const int *entry, int size, const Real *W_nodes) {
#pragma unroll 1
    for (int k = warp; k < size; k += WARPS)
      if (!is_held(entry[k] >> 1)) fetch_row(nodes + k * DIM, W_nodes + (long long)(entry[k] >> 1) * DIM, lane);
#pragma unroll 1
    for (int k = warp; k < size && is_held(entry[k] >> 1); k += WARPS)
      for (int q = 0; q < ROW_STEPS; ++q) store(nodes + k * DIM, q, lane, load(held_row(entry[k] >> 1), q, lane));
  }

  __device__ bool is_held(int node) const { return HELD_NODES > 0 && node >= first_held; }

  __device__ Real *held_row(int node) const { return held + (node - first_held) * DIM; }

  // Return the factor that scales down a step of a node. The updates of held nodes are scaled when they are written.
  __device__ Real node_damping(int node, Real max_rate) const { return is_held(node) ? Real(1) : damping(max_rate); }

  // Add a scaled step to this lane's columns of a node.
  __device__ void step_node(int node, int q, const Four &step, Real *W_nodes) {
    if (is_held(node)) {
      Four row = load(held_row(node), q, lane);
      add(row, 1, step);
      store(held_row(node), q, lane, row);
    } else {
      add_to_table(W_nodes + (long long)node * DIM, q, lane, step);
    }
  }

  // Read the held nodes.
  __device__ void read_held(const Real *W_nodes) {
    const int begin = first_held > 0 ? 0 : -first_held;
#pragma unroll 1
    for (int i = begin + warp; i < HELD_NODES; i += WARPS)
      fetch_row(held_start + i * DIM, W_nodes + (long long)(first_held + i) * DIM, lane);
    wait_for_rows();
    __syncwarp();
#pragma unroll 1
    for (int i = begin + warp; i < HELD_NODES; i += WARPS)
      for (int q = 0; q < ROW_STEPS; ++q) store(held + i * DIM, q, lane, load(held_start + i * DIM, q, lane));
  }

  // Add the updates of the held nodes to the table. `read_held` may follow, because it reads a row with the same warp.
  __device__ void write_held(Real *W_nodes, const Real *max_rate_nodes) {
#pragma unroll 1
    for (int i = warp + (first_held > 0 ? 0 : -first_held); i < HELD_NODES; i += WARPS) {
      const Real max_rate = max_rate_nodes[first_held + i];
      for (int q = 0; is_written(max_rate) && q < ROW_STEPS; ++q) {
        Four update = load(held + i * DIM, q, lane), step = zero();
        add(update, -1, load(held_start + i * DIM, q, lane));
        add(step, damping(max_rate), update);
        add_to_table(W_nodes + (long long)(first_held + i) * DIM, q, lane, step);
      }
    }
    __syncwarp();
  }

  // Return context j of target t, whose window begins at `begin`.
  static __device__ int context(int begin, int j, int t) { return begin + j + (begin + j >= t); }

  // CBOW: average the contexts of target t, score the mean against this warp's nodes, and update the nodes.
  __device__ void train_nodes_by_mean(int t, const int *entry, const Real *max_rate, int size, Real *W_nodes) {
    const int begin = window_begin[t], contexts = window_end[t] - begin - 1;
    const Real scale = divide(Real(1), Real(contexts));
    Four h[ROW_STEPS];
    Real scores[PADDED_WARP_NODES] = {};
#pragma unroll
    for (int q = 0; q < ROW_STEPS; ++q) {
      h[q] = zero();
#pragma unroll 1
      for (int base = 0; base < contexts; base += WINDOW_GROUP)
#pragma unroll
        for (int j = base; j < base + WINDOW_GROUP; ++j)
          add(h[q], j < contexts ? 1 : 0, load(ring + slot(context(begin, j, t)) * DIM, q, lane));
      for (int i = 0; i < 4; ++i) h[q].x[i] *= scale;
#pragma unroll
      for (int j = 0; j < WARP_NODES; ++j)
        if (warp + j * WARPS < size) scores[j] += dot(h[q], load(nodes + (warp + j * WARPS) * DIM, q, lane));
    }
    const Real score = Reduce<PADDED_WARP_NODES>::of(scores, lane);
    constexpr int LANES = 32 / PADDED_WARP_NODES;
    const int own = warp + lane / LANES * WARPS;
    if (lane % LANES == 0 && own < size) coefficient[own] = pair_coefficient(!(entry[own] & 1), 1, score);
    __syncwarp();
#pragma unroll 1
    for (int k = warp; k < size; k += WARPS) {
      const Real factor = coefficient[k] * node_damping(entry[k] >> 1, max_rate[k]);
#pragma unroll
      for (int q = 0; is_written(max_rate[k]) && q < ROW_STEPS; ++q) {
        Four step = zero();
        add(step, factor, h[q]);
        step_node(entry[k] >> 1, q, step, W_nodes);
      }
    }
  }

  // CBOW: add the steps of target t's contexts.
  __device__ void step_contexts_by_mean(int t, int size, const Real *cbow_grad_scale) {
    const int begin = window_begin[t], contexts = window_end[t] - begin - 1;
    const Real scale = cbow_grad_scale[contexts];
#pragma unroll 1
    for (int q = 0; q < ROW_STEPS; ++q) {
      Four d = zero();
#pragma unroll 4
      for (int k = 0; k < size; ++k) add(d, scale * coefficient[k], load(nodes + k * DIM, q, lane));
#pragma unroll 2
      for (int j = warp; j < contexts; j += WARPS) {
        Real *row = steps + slot(context(begin, j, t)) * DIM;
        Four sum = load(row, q, lane);
        add(sum, 1, d);
        store(row, q, lane, sum);
      }
    }
  }

  // Skip-gram: score the contexts of target t against this warp's nodes, and update the nodes.
  __device__ void train_nodes(int t, const int *entry, const Real *max_rate, int size, Real *W_nodes) {
    const int begin = window_begin[t], contexts = window_end[t] - begin - 1;
    constexpr int N = CONTEXTS_TOGETHER * NODES_TOGETHER;
#pragma unroll 1
    for (int first_node = warp; first_node < size; first_node += NODES_TOGETHER * WARPS) {
      // Node r of those that are scored together is `first_node + r * WARPS`.
#pragma unroll 1
      for (int base = 0; base < contexts; base += CONTEXTS_TOGETHER) {
        Real scores[N] = {};
#pragma unroll 1
        for (int q = 0; q < ROW_STEPS; ++q) {
          Four v[NODES_TOGETHER];
#pragma unroll
          for (int r = 0; r < NODES_TOGETHER; ++r) {
            v[r] = zero();
            if (first_node + r * WARPS < size) v[r] = load(nodes + (first_node + r * WARPS) * DIM, q, lane);
          }
#pragma unroll
          for (int j = 0; j < CONTEXTS_TOGETHER; ++j) {
            Four x = load(ring + slot(context(begin, base + j, t)) * DIM, q, lane);
#pragma unroll
            for (int r = 0; r < NODES_TOGETHER; ++r) scores[r * CONTEXTS_TOGETHER + j] += dot(x, v[r]);
          }
        }
        const Real score = Reduce<N>::of(scores, lane);
        const int pair = lane / (32 / N);
        const int k = first_node + pair / CONTEXTS_TOGETHER * WARPS, j = base + pair % CONTEXTS_TOGETHER;
        if (lane % (32 / N) == 0 && k < size)
          coefficient[k * WINDOW + j] = j < contexts ? pair_coefficient(!(entry[k] & 1), 1, score) : Real(0);
      }
      __syncwarp();
#pragma unroll 1
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four step[NODES_TOGETHER];
#pragma unroll
        for (int r = 0; r < NODES_TOGETHER; ++r) step[r] = zero();
#pragma unroll 1
        for (int base = 0; base < contexts; base += CONTEXTS_TOGETHER) {
          Four x[CONTEXTS_TOGETHER];
#pragma unroll
          for (int j = 0; j < CONTEXTS_TOGETHER; ++j)
            x[j] = load(ring + slot(context(begin, base + j, t)) * DIM, q, lane);
#pragma unroll
          for (int r = 0; r < NODES_TOGETHER; ++r)
            if (first_node + r * WARPS < size) {
              const Real *g = coefficient + (first_node + r * WARPS) * WINDOW + base;
#pragma unroll
              for (int j = 0; j < CONTEXTS_TOGETHER; ++j) add(step[r], g[j], x[j]);
            }
        }
#pragma unroll
        for (int r = 0; r < NODES_TOGETHER; ++r) {
          const int k = first_node + r * WARPS;
          if (k < size && is_written(max_rate[k])) {
            Four damped = zero();
            add(damped, node_damping(entry[k] >> 1, max_rate[k]), step[r]);
            step_node(entry[k] >> 1, q, damped, W_nodes);
          }
        }
      }
    }
  }

  // Skip-gram: add the steps of target t's contexts.
  __device__ void step_contexts(int t, int size) {
    const int begin = window_begin[t], contexts = window_end[t] - begin - 1;
#pragma unroll 1
    for (int j = warp; j < contexts; j += WARPS) {
      Real *row = steps + slot(context(begin, j, t)) * DIM;
#pragma unroll 1
      for (int q = 0; q < ROW_STEPS; ++q) {
        Four sum = load(row, q, lane);
#pragma unroll 4
        for (int k = 0; k < size; ++k) add(sum, coefficient[k * WINDOW + j], load(nodes + k * DIM, q, lane));
        store(row, q, lane, sum);
      }
    }
  }

  // Add the steps of token i to its row, and set them to zero. One warp calls this function.
  __device__ void leave(int i, Real *W_in, const Real *stream_max_rate) {
    const Real max_rate = SUBWORDS ? Real(1) : stream_max_rate[word[i]];
    Four sum[ROW_STEPS];
    Real square = 0;
#pragma unroll
    for (int q = 0; q < ROW_STEPS; ++q) {
      sum[q] = load(steps + slot(i) * DIM, q, lane);
      store(steps + slot(i) * DIM, q, lane, zero());
      square += dot(sum[q], sum[q]);
    }
    if (SUBWORDS) {
      add_to_word(*this, W_in, stream_max_rate, word[i], clip_factor(square), sum);
      __syncwarp();
      return;
    }
    const Real factor = clip_factor(square) * damping(max_rate);
#pragma unroll
    for (int q = 0; is_written(max_rate) && q < ROW_STEPS; ++q) {
      Four step = zero();
      add(step, factor, sum[q]);
      add_to_table(W_in + (long long)word[i] * DIM, q, lane, step);
    }
    __syncwarp();
  }

  // Train the n tokens that `subsample` kept of a chunk with hierarchical softmax. `start` is the first token of the
  // chunk, and `done` the number of tokens of all epochs that were trained before it.
  __device__ void train_tree(int n, long long start, long long done, const Arguments &arguments) {
    measured = true;
    first_held = (int)arguments.words - 1 - HELD_NODES;
    // Rows outside windows are multiplied by zero, so all rows must be finite.
#pragma unroll 1
    for (Real *x = ring + thread; x < (Real *)node_entry; x += THREADS) *x = 0;
    find_path(0, n, arguments);
    __syncthreads();
#pragma unroll 1
    for (int i = warp; i < REACH && i < n; i += WARPS) enter(i, n, arguments.W_in);
    int buffer = 0;
    long long held_end = -1;  // the held nodes are written before this token of the corpus
    look_up(buffer, n, arguments);
    __syncthreads();
#pragma unroll 1
    for (int t = 0; t < n; ++t) {
      if (HELD_NODES && start + position[t] >= held_end) {
        if (t > 0) write_held(arguments.W_nodes, arguments.max_rate_nodes);
        read_held(arguments.W_nodes);
        held_end = ((start + position[t]) / HELD_TOKENS + 1) * HELD_TOKENS;
        __syncthreads();
      }
      if (lane == 0) predictions += CBOW ? 1 : window_end[t] - window_begin[t] - 1;
      // The row that left the windows after the target before is written while other rows are being read, unless the row
      // that enters is that of the same word, or with SUBWORDS, of a word that may share rows with it.
      const bool moves = warp == WARPS - 1;
      const int entering = t + REACH, leaving = entering - BAND;
      bool leaves = moves && leaving >= 0;
      if (leaves && entering < n && (SUBWORDS || word[entering] == word[leaving])) {
        leave(leaving, arguments.W_in, arguments.tree_max_rate_in);
        leaves = false;
      }
      if (moves && entering < n) enter(entering, n, arguments.W_in);
#pragma unroll 1
      for (bool more = true; more; buffer ^= 1) {
        more = group_size[buffer] > PATH_GROUP;
        const int size = more ? PATH_GROUP : group_size[buffer];
        const int *entry = node_entry + buffer * PATH_GROUP;
        const Real *max_rate = node_max_rate + buffer * PATH_GROUP;
        read_nodes(entry, size, arguments.W_nodes);
        look_up(buffer ^ 1, n, arguments);
        if (leaves) leave(leaving, arguments.W_in, arguments.tree_max_rate_in);
        leaves = false;
        rate = (Real)(arguments.alpha - arguments.slope * (double)(done + position[t]));
        inverse_rate = divide(Real(1), rate);
        wait_for_rows();
        __syncthreads();
        if (CBOW) {
          train_nodes_by_mean(t, entry, max_rate, size, arguments.W_nodes);
        } else {
          train_nodes(t, entry, max_rate, size, arguments.W_nodes);
        }
        __syncthreads();
        if (CBOW) {
          step_contexts_by_mean(t, size, arguments.cbow_grad_scale);
        } else {
          step_contexts(t, size);
        }
        __syncthreads();
      }
    }
#pragma unroll 1
    for (int i = (n > REACH ? n - 1 - REACH : 0) + warp; i < n; i += WARPS)
      leave(i, arguments.W_in, arguments.tree_max_rate_in);
    if (HELD_NODES && n > 0) write_held(arguments.W_nodes, arguments.max_rate_nodes);
    __syncthreads();
  }

  // Train a chunk. `Schedule::run` calls this function instead of `Schedule::train`.
  __device__ void train(TreeBlock &, int n, long long start, Bits key, long long done, const Arguments &arguments) {
#if NEGATIVE_SAMPLING
    double noise_loss;
    int noise_predictions;
    {
      Block<CBOW> block(memory);
      block.template set_up<Block<CBOW>>(arguments);
      block.loss = 0;
      block.predictions = 0;
      block.train(block, n, start, key, done, arguments);
      noise_loss = block.loss;
      noise_predictions = warp_sum(block.predictions);
    }
#endif
    train_tree(n, start, done, arguments);
#if NEGATIVE_SAMPLING
    // The mean of the result is the sum of both means (`combined_loss` in engines/base.py).
    const int all = warp_sum(predictions);
    loss = noise_loss + loss * noise_predictions / (all ? all : 1);
    predictions = lane == 0 ? noise_predictions : 0;
#endif
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) cbow_hs(const Arguments arguments) {
  SHARED_MEMORY(memory);
  TreeBlock<true> block(memory);
  block.run(block, arguments);
}

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) skipgram_hs(const Arguments arguments) {
  SHARED_MEMORY(memory);
  TreeBlock<false> block(memory);
  block.run(block, arguments);
}
