
case $1 in
  start | run | cancel) "$1" ;;
  attend) attend_here ;;
  observe) observe "$2" "$3" "$4" ;;
  act) act "$2" "$3" "$4" ;;
  act-alone) act_alone ;;
esac
