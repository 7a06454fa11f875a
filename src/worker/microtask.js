// Replaces the global `queueMicrotask`, with which a core wakes its futures: a resolved promise is many times faster in workerd.

const resolved = Promise.resolve();

export const queueMicrotask = (callback) => void resolved.then(callback);
