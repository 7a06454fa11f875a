// The names of features. A product that knows its own says so once, and misspelt ones no longer compile:
//
//   declare module "entgate" { interface Features { sms: true; sso: true } }

export interface Features {}

/** A lookup key: one of `Features`, or any text while that is empty. */
export type Feature = keyof Features extends never ? string : keyof Features & string;
