/** Device ids: 1 to 100 of `A–Z a–z 0–9 _ - . :`. */
const DEVICE = /^[A-Za-z0-9_.:-]{1,100}$/;

/** Why `id` is not a device id, in one line for people; `undefined` when it is one. */
export function deviceIdProblem(id: string): string | undefined {
  return DEVICE.test(id) ? undefined : "a device id is 1 to 100 of A-Z a-z 0-9 _ - . :";
}
