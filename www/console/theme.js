// Applies the stored theme before the first paint. Without a stored theme, the system's applies.
try {
  const theme = localStorage.getItem("entgate.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is disabled in this browser: the system's theme applies.
}
