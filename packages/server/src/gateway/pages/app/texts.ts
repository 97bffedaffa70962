/** What the page says, in each of its languages. */

const en = {
  connection: "Connection",
  connect: "Connect",
  disconnect: "Disconnect",
  closed: "Not connected",
  connecting: "Connecting…",
  open: "Connected",
  waiting: "Reconnecting",
  retryIn: "Next attempt in {0} s",
  refused: "The server ended the connection for good ({0})",
  push: "Push",
  pushOn: "Messages arrive as they are pushed",
  pushOff: "Nothing is pushed to this page",
  access: "Channel and token",
  channel: "Channel",
  token: "Token",
  accessHint: "Left empty: the server's default channel",
  apply: "Apply",
  heartbeat: "Heartbeat",
  heartbeatHint:
    "The app's own sign of life. It keeps the connection alive, so the server need not wake the phone.",
  interval: "Interval",
  customSeconds: "Seconds",
  off: "Off",
  every30s: "30 s",
  every1m: "1 min",
  every4m: "4 min",
  every10m: "10 min",
  custom: "Custom…",
  beatNow: "Send one now",
  noRoundTrip: "None answered yet",
  roundTrip: "Last one answered in {0} ms",
  messages: "Messages",
  noMessages: "Nothing yet. The next push appears here.",
  log: "Log",
  clear: "Clear",
  language: "中文",
  logConnecting: "Connecting",
  logOpen: "Connected",
  logClosed: "Disconnected",
  logLost: "Connection lost ({0})",
  logRefused: "Closed by the server for good ({0})",
  logPushOn: "Push switched on",
  logPushOff: "Push switched off",
  logHeartbeat: "Heartbeat answered in {0} ms",
  logError: "Error: {0}",
  catchingUp: "Catching up on what was missed…",
  notAllowed: "The token does not allow to receive this channel, or one is needed",
  gap: "Some messages are no longer available",
  otherLog: "The server has started afresh; all it keeps follows",
  unreachable: "unreachable or cut off",
};

export type TextName = keyof typeof en;

const zh: Record<TextName, string> = {
  connection: "连接",
  connect: "连接",
  disconnect: "断开",
  closed: "未连接",
  connecting: "正在连接…",
  open: "已连接",
  waiting: "正在重连",
  retryIn: "{0} 秒后重试",
  refused: "服务器已永久关闭连接（{0}）",
  push: "推送",
  pushOn: "消息一经推送即会到达",
  pushOff: "不会向此页面推送任何消息",
  access: "频道与令牌",
  channel: "频道",
  token: "令牌",
  accessHint: "留空即为服务器的默认频道",
  apply: "应用",
  heartbeat: "心跳",
  heartbeatHint: "由应用自己发出的存活信号，用来保持连接，因此服务器不必唤醒手机。",
  interval: "间隔",
  customSeconds: "秒数",
  off: "关闭",
  every30s: "30 秒",
  every1m: "1 分钟",
  every4m: "4 分钟",
  every10m: "10 分钟",
  custom: "自定义…",
  beatNow: "立即发送",
  noRoundTrip: "尚无应答",
  roundTrip: "最近一次应答用时 {0} 毫秒",
  messages: "消息",
  noMessages: "暂无消息。下一次推送会显示在这里。",
  log: "日志",
  clear: "清空",
  language: "English",
  logConnecting: "正在连接",
  logOpen: "已连接",
  logClosed: "已断开",
  logLost: "连接中断（{0}）",
  logRefused: "服务器已永久关闭连接（{0}）",
  logPushOn: "已开启推送",
  logPushOff: "已关闭推送",
  logHeartbeat: "心跳应答用时 {0} 毫秒",
  logError: "错误：{0}",
  catchingUp: "正在补收错过的消息…",
  notAllowed: "该令牌不允许接收此频道，或者需要令牌",
  gap: "部分消息已无法获取",
  otherLog: "服务器已重新开始，以下是其保留的全部消息",
  unreachable: "无法连接或已中断",
};

export const LANGUAGES = ["en", "zh-CN"] as const;
export type Language = (typeof LANGUAGES)[number];

const texts: Record<Language, Record<TextName, string>> = { en, "zh-CN": zh };

/** The text `name` in `language`, with `{0}` filled in. */
export function textOf(language: Language, name: TextName, value: string | number = ""): string {
  return texts[language][name].replace("{0}", () => String(value));
}

/** The first of a browser's languages that the page speaks, else English. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    if (/^zh\b/i.test(tag)) return "zh-CN";
    if (/^en\b/i.test(tag)) return "en";
  }
  return "en";
}
