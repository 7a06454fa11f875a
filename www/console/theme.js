// Light or dark, before anything is painted: what was chosen, else what the system has.
try {
  const chosen = localStorage.getItem("entgate.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that stores nothing has the system's.
}
