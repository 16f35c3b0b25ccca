/** Returns milliseconds of the monotonic clock that all processes of this machine share. */
export function getMonotonicMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}
