// Small charts: what one would rather see than read.
