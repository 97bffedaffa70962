/** `carillon devices`: the apps that the server knows. */
import { exportDevice, listDevices, showDevice } from "./look.ts";
import { registerDevice, removeDevice, setDevice } from "./make.ts";
import { pushToDevice, showReceipts, switchPush } from "./reach.ts";
import { revokeToken, rotateToken } from "./tokens.ts";

export const devices = [
  listDevices,
  showDevice,
  registerDevice,
  setDevice,
  switchPush,
  pushToDevice,
  showReceipts,
  rotateToken,
  revokeToken,
  exportDevice,
  removeDevice,
];
