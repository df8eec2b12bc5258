// Kernels that replace those of word2vec_mma.cu to test its products. This file follows the part of word2vec_mma.cu
// before `Block`. W_in is (32, 4) and W_out is (32, 2): what each lane holds of A and B. `scratch` is (32, 4) numbers of
// float32.

static_assert(PREFETCH_DISTANCE * STRIDE * POOL_ROWS * NEAR * BAND_STRIDE > 0, "otherwise, they are not used");

// Add A B to C, of which `scratch` is what each lane holds.
extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) cbow_ns(const Arguments arguments) {
  float *c = (float *)arguments.scratch + 4 * threadIdx.x, sum[4] = {c[0], c[1], c[2], c[3]};
  const float *a = arguments.W_in + 4 * threadIdx.x, *b = arguments.W_out + 2 * threadIdx.x;
  multiply_add(sum, number(a[0]), number(a[1]), number(a[2]), number(a[3]), number(b[0]), number(b[1]));
  for (int i = 0; i < 4; ++i) c[i] = sum[i];
}

// Write A to `scratch`, rounded to tf32.
extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) skipgram_ns(const Arguments arguments) {
  for (int i = 4 * threadIdx.x; i < 4 * (int)threadIdx.x + 4; ++i)
    ((float *)arguments.scratch)[i] = __uint_as_float(to_tf32(arguments.W_in[i]) & 0xffffe000u);
}
