/* pause holds the namespaces of a pod and reaps what its containers leave behind. */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

static void reap(int signal_number)
{
	(void)signal_number;
	while (waitpid(-1, NULL, WNOHANG) > 0) {
	}
}

int main(void)
{
	struct sigaction leaving = {.sa_handler = leave};
	struct sigaction reaping = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};

	sigaction(SIGINT, &leaving, NULL);
	sigaction(SIGTERM, &leaving, NULL);
	sigaction(SIGCHLD, &reaping, NULL);
	for (;;)
		pause();
}
