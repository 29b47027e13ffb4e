module example.invalid/git-sync-standin

go 1.24
