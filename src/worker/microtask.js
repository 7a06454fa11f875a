// The core wakes its futures by `queueMicrotask`, for which the platform takes many times as long as for this.

const settled = Promise.resolve();

export const queueMicrotask = (work) => void settled.then(work);
