// Reads rows of 128 floats, or adds to them, to measure how fast a device does so. `benchmarks/gpu_steps.py` launches it
// in blocks of 128 threads with 2,048 bytes of shared memory. A warp processes four rows at a time.
//
// Modes: 0 read, 1 add four floats at a time, 2 add one float at a time, 3 read and add four at a time, 4 add a row at a
// time by the bulk copy engine. Modes 1, 3 and 4 need compute capability 9.0.

extern "C" __global__ void touch(float *W, const int *ids, int n, int mode, float amount, float *sink) {
  extern __shared__ __align__(128) float memory[];
  const int lane = threadIdx.x % 32, warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  const int warps = gridDim.x * blockDim.x / 32;
  float4 sum = {0, 0, 0, 0};
#if __CUDA_ARCH__ >= 900
  const float4 four = {amount, amount, amount, amount};
  float *own = memory + threadIdx.x / 32 * 128;
  *(float4 *)(own + 4 * lane) = four;
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");  // the bulk engine must see these writes
  __syncwarp();
#endif
  for (int r = 4 * warp; r + 3 < n; r += 4 * warps) {
    float *row[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) row[j] = W + ids[r + j] * 128ll;
    if (mode == 0 || mode == 3)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float4 v = __ldcg((const float4 *)row[j] + lane);
        sum.x += v.x, sum.y += v.y, sum.z += v.z, sum.w += v.w;
      }
    if (mode == 2)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 4; ++i) atomicAdd(row[j] + 32 * i + lane, amount);
#if __CUDA_ARCH__ >= 900
    if (mode == 1 || mode == 3)
#pragma unroll
      for (int j = 0; j < 4; ++j) atomicAdd((float4 *)row[j] + lane, four);
    if (mode == 4 && lane < 4) {
      float *to = lane == 0 ? row[0] : lane == 1 ? row[1] : lane == 2 ? row[2] : row[3];
      asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(to),
                   "r"((unsigned)__cvta_generic_to_shared(own)), "r"(512)
                   : "memory");
      asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    }
#endif
  }
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
#endif
  if (sum.x + sum.y + sum.z + sum.w == 12345.f) *sink = 1;  // so that the reads are not removed
}
