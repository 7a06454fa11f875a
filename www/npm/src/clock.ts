// The current time in Unix seconds, by the clock of this machine.

export const now = () => Date.now() / 1000;
