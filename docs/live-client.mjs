// A reference client of /ws (docs/live.md): it authenticates by subprotocol, acknowledges what it
// has dealt with, and comes back with its cursors when the connection breaks.

const PROTOCOL = "bitware.v1";
const PING = JSON.stringify({ type: "ping" });
const PING_MS = 30_000;
const BACK_MS_MIN = 500;
const BACK_MS_MAX = 30_000;
/** Acknowledged after so many events, and after so long where there are fewer. */
const ACK_EVENTS = 50;
const ACK_MS = 1_000;
/** Coming back would help nobody: 4401 and 4403 ask for another credential. */
const FINAL = new Set([4401, 4403]);

/**
 * Connects to `url`. `token` is an access token or a key, or a function that gives one, async or
 * not; `onState` hears "open", "closed" and "refused", `onError` what the server did not take.
 */
export function live(url, { token, onState = () => {}, onError = console.warn }) {
  const subscriptions = new Map();
  let socket = null, tries = 0, names = 0, over = false, timers = [];

  const say = (message) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const ask = ([id, { topic, filter, cursor }]) =>
    say({ type: "subscribe", id, topic, filter, ...(cursor == null ? {} : { cursor }) });
  const acknowledge = ([id, it]) => {
    if (it.unacknowledged > 0) say({ type: "ack", id, cursor: it.cursor });
    it.unacknowledged = 0;
  };
  const place = ({ id, cursor }) => {
    const it = subscriptions.get(id);
    if (it) it.cursor = cursor;
  };

  const hear = {
    welcome() {
      tries = 0;
      onState("open");
      [...subscriptions].forEach(ask);
    },
    subscribed: place,
    event({ subscription, cursor, event }) {
      const it = subscriptions.get(subscription);
      if (!it) return;
      it.handle(event, cursor);
      it.cursor = cursor;
      it.unacknowledged += 1;
      if (it.unacknowledged >= ACK_EVENTS) acknowledge([subscription, it]);
    },
    heartbeat: (message) => message.subscriptions.forEach(place),
    lagging: () => [...subscriptions].forEach(acknowledge),
    unsubscribed({ id, reason }) {
      subscriptions.get(id)?.ended?.(reason);
      subscriptions.delete(id);
    },
    error: onError,
  };

  async function connect() {
    if (over) return;
    const shown = typeof token === "function" ? await token() : token;
    socket = new WebSocket(url, [PROTOCOL, `bearer.${shown}`]);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      hear[message.type]?.(message);
    };
    socket.onclose = ({ code }) => {
      timers.forEach(clearInterval);
      if (over) return;
      if (FINAL.has(code)) return onState("refused");
      onState("closed");
      const pause = Math.min(BACK_MS_MAX, BACK_MS_MIN * 2 ** tries++);
      setTimeout(connect, pause * (0.5 + Math.random() / 2));
    };
    timers = [
      setInterval(() => socket.readyState === WebSocket.OPEN && socket.send(PING), PING_MS),
      setInterval(() => [...subscriptions].forEach(acknowledge), ACK_MS),
    ];
  }
  connect();

  return {
    /** Hears the events of a topic; the answer ends that. `cursor` is the last one dealt with. */
    subscribe(topic, filter, handle, { cursor = null, ended } = {}) {
      const id = `s${++names}`;
      const it = { topic, filter, handle, ended, cursor, unacknowledged: 0 };
      subscriptions.set(id, it);
      ask([id, it]);
      return () => {
        subscriptions.delete(id);
        say({ type: "unsubscribe", id });
      };
    },
    close() {
      over = true;
      socket?.close(1000);
    },
  };
}
