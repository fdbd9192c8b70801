package flinkproc;

import java.io.IOException;

/**
 * Runs a bash script in the foreground of a Hadoop job: its output is ours, its exit status is ours, and it is ended when
 * we are. Needs nothing but the JDK, 8 or later.
 */
public final class Launcher extends Thread {
    private final Process child;

    private Launcher(Process child) {
        this.child = child;
    }

    /** Starts the script that the arguments name, in the driver's working directory, and exits as it does. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        String[] command = new String[arguments.length + 1];
        command[0] = "bash";
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        Process child = new ProcessBuilder(command).inheritIO().start();
        Runtime.getRuntime().addShutdownHook(new Launcher(child));
        System.exit(child.waitFor());
    }

    /** Ends the script, and waits for what it does on its way out. */
    @Override
    public void run() {
        child.destroy();
        while (true) {
            try {
                child.waitFor();
                return;
            } catch (InterruptedException again) {
                // The virtual machine is going down: there is nobody else to wait for.
            }
        }
    }
}
