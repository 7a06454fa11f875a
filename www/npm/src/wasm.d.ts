// The core as the build puts it in: as hex into the bundles, and as a module where the platform has them.

declare module "entgate.wasm" {
  const hex: string;
  export default hex;
}

declare module "*/entgate.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
