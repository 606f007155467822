// The orchestrator with a meter on everything that the platform bills: what its bindings and the
// storage of its Durable Objects are asked for, and what they say it came to. bench/cost.mjs puts
// this in the place of index.js, beside the build that it wraps. GET /meter tells and starts anew.
import Product, { Governor as GovernorObject, Journal as JournalObject } from "./product.js";

let counts = {};
const cursors = new Set();
const active = new Map();

function count(what, n = 1) {
  counts[what] = (counts[what] ?? 0) + n;
}

/** An object whose named methods are metered; all else is its own. */
function metered(target, methods) {
  return new Proxy(target, {
    get(_, name) {
      const own = Reflect.get(target, name, target);
      // The orchestrator knows a binding by the name of its class.
      if (name === "constructor") return own;
      if (typeof own !== "function") return methods.properties?.[name]?.(own) ?? own;
      const meter = Object.hasOwn(methods, name) ? methods[name] : undefined;
      const call = own.bind(target);
      return meter ? (...args) => meter(call, ...args) : call;
    },
  });
}

const METERS = {
  D1Database: (database) => metered(database, {
    prepare: (prepare, sql) => statement(prepare(sql)),
    async batch(batch, statements) {
      count("d1.calls");
      const results = await batch(statements.map((one) => inner.get(one) ?? one));
      results.forEach(billed);
      return results;
    },
  }),
  KvNamespace: (kv) => metered(kv, {
    get: (get, ...args) => (count("kv.reads"), get(...args)),
    getWithMetadata: (get, ...args) => (count("kv.reads"), get(...args)),
    put: (put, ...args) => (count("kv.writes"), put(...args)),
    delete: (remove, ...args) => (count("kv.deletes"), remove(...args)),
    list: (list, ...args) => (count("kv.lists"), list(...args)),
  }),
  R2Bucket: (bucket) => metered(bucket, {
    put: (put, ...args) => (count("r2.class_a"), put(...args)),
    list: (list, ...args) => (count("r2.class_a"), list(...args)),
    get: (get, ...args) => (count("r2.class_b"), get(...args)),
    head: (head, ...args) => (count("r2.class_b"), head(...args)),
  }),
  WorkerQueue: (queue) => metered(queue, {
    send: (send, ...args) => (count("queue.messages"), send(...args)),
    sendBatch: (send, all, ...args) => {
      const messages = [...all];
      count("queue.messages", messages.length);
      return send(messages, ...args);
    },
  }),
};

const inner = new WeakMap();

function billed({ meta }) {
  count("d1.statements");
  count("d1.rows_read", meta?.rows_read ?? 0);
  count("d1.rows_written", meta?.rows_written ?? 0);
}

function statement(own) {
  const asked = async (call, ...args) => {
    count("d1.calls");
    const result = await call(...args);
    // `raw` and `first` say nothing of what they came to.
    if (result?.meta) billed(result);
    else count("d1.statements");
    return result;
  };
  const made = metered(own, {
    bind: (bind, ...values) => statement(bind(...values)),
    all: asked,
    run: asked,
    raw: asked,
    first: asked,
  });
  inner.set(made, own);
  return made;
}

const environments = new WeakMap();

function environment(env) {
  if (environments.has(env)) return environments.get(env);
  const known = new Map();
  const made = new Proxy(env, {
    get(_, name) {
      if (known.has(name)) return known.get(name);
      const own = Reflect.get(env, name, env);
      const meter = METERS[own?.constructor?.name];
      const binding = meter ? meter(own) : own;
      known.set(name, binding);
      return binding;
    },
  });
  environments.set(env, made);
  return made;
}

/** The state of a Durable Object, whose storage is metered. */
function state(own, kind) {
  const sql = metered(own.storage.sql, {
    exec(exec, ...args) {
      const cursor = exec(...args);
      count(`${kind}.statements`);
      cursors.add([kind, cursor]);
      return cursor;
    },
  });
  const storage = metered(own.storage, {
    properties: { sql: () => sql },
    setAlarm: (set, ...args) => (count(`${kind}.alarms_set`), set(...args)),
  });
  return metered(own, { properties: { storage: () => storage } });
}

/** A class of Durable Objects whose requests, alarms and time of activity are counted. */
function object(Own, kind) {
  return class {
    constructor(own, env) {
      this.key = own.id.toString();
      this.own = new Own(state(own, kind), environment(env));
    }
    async during(event, work) {
      count(`${kind}.${event}`);
      enter(this.key, kind);
      try {
        return await work();
      } finally {
        leave(this.key);
        for (const [of, cursor] of cursors) {
          count(`${of}.rows_read`, cursor.rowsRead);
          count(`${of}.rows_written`, cursor.rowsWritten);
        }
        cursors.clear();
      }
    }
    fetch(request) {
      return this.during("requests", () => this.own.fetch(request));
    }
    alarm() {
      return this.during("alarms", () => this.own.alarm());
    }
  };
}

/** An object is billed while it does anything: overlapping requests count once. */
function enter(key, kind) {
  const now = active.get(key) ?? { n: 0, kind, since: 0 };
  if (now.n === 0) now.since = Date.now();
  now.n += 1;
  active.set(key, now);
}

function leave(key) {
  const now = active.get(key);
  now.n -= 1;
  if (now.n === 0) count(`${now.kind}.active_ms`, Date.now() - now.since);
}

export const Journal = object(JournalObject, "journal");
export const Governor = object(GovernorObject, "governor");

export default class extends Product {
  constructor(context, env) {
    super(context, environment(env));
  }
  async fetch(request) {
    if (new URL(request.url).pathname === "/meter") {
      const told = counts;
      counts = {};
      return Response.json(told);
    }
    count("worker.requests");
    return super.fetch(request);
  }
  async queue(batch) {
    count("worker.queue_events");
    return super.queue(batch);
  }
  async scheduled(event) {
    count("worker.cron_events");
    return super.scheduled(event);
  }
}
