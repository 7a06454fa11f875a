// The type of lookup keys. An application can declare its own; unknown keys then fail to compile:
//
//   declare module "entgate" { interface Features { sms: true; sso: true } }

// biome-ignore lint/suspicious/noEmptyInterface: an application adds members by declaration merging
export interface Features {}

/** A lookup key: a member of `Features`, or any string if that interface is empty. */
export type Feature = keyof Features extends never ? string : keyof Features & string;
